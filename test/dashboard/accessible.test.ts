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

/** Returns axe-core's findings for the current page, in which axe-core is loaded. */
const findings = (page: Page): Promise<readonly string[]> =>
  page.evaluate(async () => {
    const run = Reflect.get(window, 'axe').run as (
      context: Document,
      options: object,
    ) => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>
    const { violations } = await run(document, { resultTypes: ['violations'] })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 140)}`))
  })

/** Returns the elements that are wider than the window or the topmost dialog. */
const overflowing = async (page: Page): Promise<readonly string[]> =>
  await wider(page.locator((await page.locator('dialog[open]').count()) > 0 ? 'dialog[open] >> nth=-1' : 'body'))

const LOOKS: readonly Look[] = [
  { language: 'en', theme: 'light', width: 1440 },
  { language: 'ar', theme: 'light', width: 390 },
  { language: 'de', theme: 'light', width: 1100 },
]
const NARROWEST = 320
const WIDEST = 1920

describe.skipIf(skip !== undefined)(`axe-core ${skip ?? ''}`, () => {
  const play = stage(path)
  let browser: Browser
  beforeAll(async () => {
    browser = await launch(path)
  })
  afterAll(async () => {
    await browser?.close()
  })

  // Every state with a screenshot is checked in one of the languages: in the light theme as it is, and in the dark theme in the narrowest
  // window. Nothing may overflow in these two windows or in the widest one.
  it.each(Object.keys(SCENES).map((name, at) => ({ name, look: LOOKS[at % LOOKS.length] })))(
    'axe-core finds no problem in the state $name',
    async ({ name, look }) => {
      const scene = SCENES[name]
      if (scene === undefined || look === undefined) throw new Error('no scene')
      await showScene(browser, scene, look, async (page) => {
        await page.evaluate(axe)
        expect(await findings(page), 'light').toEqual([])
        expect(await overflowing(page), 'light').toEqual([])
        await page.emulateMedia({ colorScheme: 'dark' })
        await page.setViewportSize({ width: NARROWEST, height: 900 })
        expect(await findings(page), 'dark, narrow').toEqual([])
        expect(await overflowing(page), 'narrow').toEqual([])
        await page.setViewportSize({ width: WIDEST, height: 900 })
        expect(await overflowing(page), 'wide').toEqual([])
      })
    },
    60_000,
  )

  it('axe-core finds nothing when the host configures an unreadable accent color', () =>
    play({ before: seed, dashboard: { accent: '#ffe94d' }, context: { colorScheme: 'light' } }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      await page.evaluate(axe)
      expect(await findings(page)).toEqual([])
    }))
})
