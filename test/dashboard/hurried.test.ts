import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { confirm, holdBack, press, stage, wider } from './support/stage.js'

const { path = '', skip } = findChromium()
const LONG = `${'مفتاح المستودع '.repeat(6)}${'W'.repeat(90)}`

describe.skipIf(skip !== undefined)(`a hurried user ${skip ?? ''}`, () => {
  const play = stage(path)

  it('a double click on Rotate creates one successor, and its token stays on the screen', () =>
    play({ before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: [] }) }, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Rotate')
      await page.locator('dialog[open]').getByRole('button', { name: 'Rotate', exact: true }).dblclick()
      await page.locator('[data-token]:not(:empty)').waitFor()
      await page.waitForTimeout(300)
      expect(await page.locator('[data-token]:not(:empty)').count()).toBe(1)
      expect((await world.tokens.system.list({})).items).toHaveLength(2)
    }))

  it('after a session expires during a rotation and the user signs in, the same click shows the one successor', () =>
    play({ before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: [] }) }, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Rotate')
      await page.context().clearCookies()
      await confirm(page, 'Rotate')
      await page.locator('dialog[open]').getByText('Nothing you typed is lost').waitFor()
      expect((await world.tokens.system.list({})).items).toHaveLength(1)
      await page.context().addCookies([{ name: 'user', value: 'root', url: world.origin }])
      await confirm(page, 'Rotate')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list({})).items).toHaveLength(2)
    }))

  it('Back during a slow rotation on a narrow screen still shows the new token, and a long right-to-left name fits', () =>
    play(
      {
        context: { viewport: { width: 390, height: 800 } },
        before: ({ tokens }) => tokens.system.create({ name: LONG.slice(0, 100), scopes: [] }),
      },
      async ({ page }) => {
        await page.getByRole('link', { name: /مفتاح/ }).click()
        await press(page, 'Rotate')
        expect(await wider(page.locator('dialog[open]'))).toEqual([])
        const { asked, letGo } = await holdBack(page, /\/rotate$/)
        await confirm(page, 'Rotate')
        await asked
        await page.evaluate(() => history.back())
        await page.waitForTimeout(300)
        letGo()
        await page.locator('[data-token]:not(:empty)').waitFor()
        expect(await wider(page.locator('dialog[open]'))).toEqual([])
      },
    ))
})
