import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findChromium, launch } from './support/browser.js'
import { SCENES } from './support/scenes.js'
import { seed } from './support/seed.js'
import { type Look, showScene } from './support/show.js'
import { stage, wider } from './support/stage.js'

const { path = '', skip } = findChromium()
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Returns axe-core's findings for the current page. */
async function findings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe)
  return page.evaluate(async () => {
    const run = Reflect.get(window, 'axe').run as (
      context: Document,
      options: object,
    ) => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>
    const { violations } = await run(document, { resultTypes: ['violations'] })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 140)}`))
  })
}

const THEMES = ['light', 'dark'] as const
const LOOKS: readonly Look[] = [
  { language: 'en', theme: 'light', width: 1440 },
  { language: 'ar', theme: 'light', width: 390 },
  { language: 'de', theme: 'light', width: 1100 },
]
/** The narrowest and widest window in which each state is checked. */
const WIDTHS = [320, 1920] as const

describe.skipIf(skip !== undefined)(`axe-core ${skip ?? ''}`, () => {
  const play = stage(path)
  let browser: Browser
  beforeAll(async () => {
    browser = await launch(path)
  })
  afterAll(async () => {
    await browser?.close()
  })

  // Checks every state that has a screenshot in one of the languages, in light and dark, and at the narrowest and widest width, where nothing may overflow the window.
  it.each(Object.keys(SCENES).map((name, at) => ({ name, look: LOOKS[at % LOOKS.length] })))(
    'axe-core finds nothing in the state $name',
    async ({ name, look }) => {
      const scene = SCENES[name]
      if (scene === undefined || look === undefined) throw new Error('no scene')
      await showScene(browser, scene, look, async (page) => {
        for (const colorScheme of THEMES) {
          await page.emulateMedia({ colorScheme })
          expect(await findings(page), colorScheme).toEqual([])
        }
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 900 })
          expect(await findings(page), `${width}`).toEqual([])
          expect(await wider(page.locator((await page.locator('dialog[open]').count()) > 0 ? 'dialog[open] >> nth=-1' : 'body'))).toEqual(
            [],
          )
        }
      })
    },
    60_000,
  )

  it('axe-core finds nothing when the host configures an unreadable accent color', () =>
    play({ before: seed, dashboard: { accent: '#ffe94d' }, context: { colorScheme: 'light' } }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      expect(await findings(page)).toEqual([])
    }))
})
