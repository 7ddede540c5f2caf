import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

// The build without windows comes first, because it is faster.
const PLACES = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
]

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

/** The path of Chromium, or the reason to skip the tests that need it. */
export type Found = { readonly path: string; readonly skip?: undefined } | { readonly path?: undefined; readonly skip: string }

/** Finds Chromium at `LATCHKEY_TEST_CHROMIUM` or the usual paths. With `LATCHKEY_REQUIRE_SERVICES=1`, a missing Chromium is an error. */
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

/** Violations by a page (errors, policy violations, dialogs, requests to other origins) and all its requests. */
export type Watch = { readonly faults: string[]; readonly requests: string[] }

/** Watches a page for violations. */
export function watch(page: Page, origin: string): Watch {
  const faults: string[] = []
  const requests: string[] = []
  page.on('console', (message) => {
    // Many stories include an API refusal, which the browser logs as an error.
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
