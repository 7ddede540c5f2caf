import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome-stable', '/usr/bin/google-chrome']

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Where Chromium is, or why the tests that need it are skipped. */
export type Found = { readonly path: string; readonly skip?: undefined } | { readonly path?: undefined; readonly skip: string }

/** Looks for Chromium: `LATCHKEY_TEST_CHROMIUM`, else where Debian and others put it. With `LATCHKEY_REQUIRE_SERVICES=1` none is an error. */
export function findChromium(): Found {
  const named = process.env.LATCHKEY_TEST_CHROMIUM
  const path = [...(named ? [named] : []), ...PLACES].find((place) => existsSync(place))
  if (path !== undefined) return { path }
  const skip = `no Chromium at ${PLACES.join(', ')}: install it, or set LATCHKEY_TEST_CHROMIUM`
  if (process.env.LATCHKEY_REQUIRE_SERVICES === '1') throw new Error(`LATCHKEY_REQUIRE_SERVICES=1, but ${skip}`)
  console.warn(`skipped: ${skip}`)
  return { skip }
}

/** Starts Chromium. */
export const launch = (path: string): Promise<Browser> => chromium.launch({ executablePath: path, args: FLAGS })

/** What a page did that it must not: errors, broken policy, dialogs, requests to elsewhere. */
export type Watch = { readonly faults: string[]; readonly requests: string[] }

/** Keeps an eye on a page. */
export function watch(page: Page, origin: string): Watch {
  const faults: string[] = []
  const requests: string[] = []
  page.on('console', (message) => {
    // A refusal by the API is part of many stories; the browser logs each as an error.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) faults.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss().catch(() => undefined)
  })
  page.on('request', (request) => {
    requests.push(request.url())
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith('data:')) faults.push(`request: ${request.url()}`)
  })
  return { faults, requests }
}
