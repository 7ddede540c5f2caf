import { describe, expect, it } from 'vitest'
import { languages, textsOf } from '../../src/dashboard/texts/languages.js'
import { texts } from '../../src/dashboard/texts.js'
import { ACTIONS } from '../../src/model/event.js'
import { findChromium } from './support/browser.js'
import { seed } from './support/seed.js'
import { confirm, press, stage, wider } from './support/stage.js'

const { path = '', skip } = findChromium()
const FORM = /\.(zero|one|two|few|many)$/
const blanksOf = (text: string): readonly string[] =>
  [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, blank = '']) => blank.toLowerCase().replace(/s$/, '')))].sort()

describe.each(Object.keys(languages))('the texts of %s', (language) => {
  const translated: { readonly [key: string]: string | undefined } = languages[language] ?? {}
  const english: { readonly [key: string]: string } = texts

  it('every English text has a translation', () => {
    expect(Object.keys(english).filter((key) => !FORM.test(key) && !translated[key])).toEqual([])
  })

  it('translations use the same placeholders as the English texts', () => {
    const wrong = Object.entries(translated).flatMap(([key, text = '']) => {
      const wanted = blanksOf(english[key.replace(FORM, '')] ?? '')
      const found = blanksOf(text)
      const missing = FORM.test(key) ? [] : wanted.filter((blank) => blank !== 'client' && !found.includes(blank))
      return [...missing, ...found.filter((blank) => blank !== 'client' && !wanted.includes(blank))].map((blank) => `${key}: ${blank}`)
    })
    expect(wrong).toEqual([])
  })
})

it('every audit action has a description', () => {
  expect(ACTIONS.filter((action) => !Object.hasOwn(texts, `audit.${action}`))).toEqual([])
})

describe('language tags', () => {
  it('textsOf() finds a language by its tag regardless of region, and returns nothing for others', () => {
    expect(textsOf('de-AT')).toBe(languages.de)
    expect(textsOf('AR')).toBe(languages.ar)
    for (const other of ['en', 'fr', 'constructor', '__proto__', '']) expect(textsOf(other)).toBeUndefined()
  })
})

describe.skipIf(skip !== undefined)(`the page in other languages ${skip ?? ''}`, () => {
  const play = stage(path)

  it("the chart formats dates in the page's language, not the browser's", () => {
    let ids: ReadonlyMap<string, string> = new Map()
    return play({ before: async (world) => (ids = await seed(world)), dashboard: { language: 'de' } }, async ({ page, world }) => {
      await page.addInitScript(() => {
        const drawn: string[] = []
        const { fillText } = CanvasRenderingContext2D.prototype
        CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
          drawn.push(text)
          return fillText.call(this, text, ...where)
        }
        Object.assign(globalThis, { drawn })
      })
      await page.goto(`${world.url}?token=${ids.get('Price feed')}`)
      await page.locator('.chart canvas').waitFor()
      const drawn = (): Promise<string> => page.evaluate(() => (Reflect.get(globalThis, 'drawn') as string[]).join('|'))
      await expect.poll(drawn).toMatch(/(^|\|)\d+\. \p{L}+/u)
      expect(await drawn()).not.toMatch(/\d \p{L}/u)
    })
  })

  it("the German page uses the host's nouns", () =>
    play({ before: seed, dashboard: { language: 'de', clientName: { one: 'Firma', many: 'Firmen' } } }, async ({ page }) => {
      await page.getByRole('heading', { name: 'API-Tokens' }).waitFor()
      await page.getByRole('columnheader', { name: 'Firma' }).waitFor()
      await page.getByRole('button', { name: '1 Rotation fällig' }).waitFor()
      await press(page, 'Token erstellen')
      const dialog = page.getByRole('dialog', { name: 'Token erstellen' })
      await dialog.getByText('Alle Firmen', { exact: true }).click()
      await dialog.getByText('Dieses Token gilt für alle Firmen, auch für später hinzugefügte.').waitFor()
      await dialog.getByRole('button', { name: 'Prüfen' }).click()
      await dialog.getByText('Geben Sie einen Namen ein.').waitFor()
      await page.setViewportSize({ width: 320, height: 844 })
      expect(await wider(dialog)).toEqual([])
      await confirm(page, 'Abbrechen')
      await confirm(page, 'Verwerfen')
      await page.getByRole('link', { name: 'Warehouse scanner fleet' }).click()
      await page.getByRole('button', { name: '2 unbenutzte Scopes entfernen' }).waitFor()
      expect(await wider(page.locator('main'))).toEqual([])
      await press(page, 'Widerrufen')
      await page.getByRole('dialog').getByText('Aufrufe (24 Stunden)').waitFor()
      expect(await wider(page.getByRole('dialog'))).toEqual([])
    }))

  it('the Arabic page runs from right to left and uses Arabic plurals, and nothing is cut off', () =>
    play({ before: seed, dashboard: { language: 'ar' } }, async ({ page }) => {
      await expect.poll(() => page.locator('html').getAttribute('dir')).toBe('rtl')
      await page.getByRole('heading', { name: 'رموز API' }).waitFor()
      await page.getByRole('button', { name: /^(12|١٢) رمزًا$/ }).waitFor()
      for (const width of [320, 768, 1280, 1920]) {
        await page.setViewportSize({ width, height: 900 })
        await expect.poll(() => wider(page.locator('main'))).toEqual([])
      }
      // IDs and scopes keep their own direction, and a truncated name keeps its beginning.
      const ends = await page.evaluate(() => {
        const [hint, by] = [document.querySelector('td code'), document.querySelector('td.col-created .cut bdi')]
        const range = document.createRange()
        const leftOf = (node: Node | null | undefined, from: number): number => {
          if (node) range.setStart(node, from)
          if (node) range.setEnd(node, from + 1)
          return range.getBoundingClientRect().left
        }
        const length = hint?.textContent?.length ?? 1
        return {
          hint: leftOf(hint?.firstChild, length - 1) - leftOf(hint?.firstChild, 0),
          by: by && leftOf(by.firstChild, 0) - by.getBoundingClientRect().left,
        }
      })
      expect(ends.hint).toBeGreaterThan(0)
      expect(ends.by).toBeGreaterThanOrEqual(0)
      await page.getByRole('button', { name: 'إجراءات Price feed' }).click()
      await page.getByRole('menuitem', { name: 'إلغاء نهائي' }).click()
      await page.getByRole('dialog').getByText('الاستدعاءات في 24 ساعة').waitFor()
    }))
})
