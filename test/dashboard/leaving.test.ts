import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { chooseEveryTenant, confirm, createByPage, holdBack, keep, press, stage, type Wanted, wider } from './support/stage.js'

const { path = '', skip } = findChromium()

const shown = (page: Page): Promise<string | null> => page.locator('[data-token]:not(:empty)').textContent()

/** Whether the browser would ask before leaving this document. */
const asksOnReload = (page: Page): Promise<boolean> => page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })))

const focused = (page: Page): Promise<string | undefined> => page.evaluate(() => document.activeElement?.textContent ?? undefined)

describe.skipIf(skip !== undefined)(`leaving ${skip ?? ''}`, () => {
  const play = stage(path)
  const one: Wanted = { before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read'] }) }

  it('Back asks before an uncopied token is lost', () =>
    play(one, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Rotate')
      await page.getByRole('dialog').getByText('Now', { exact: true }).click()
      const address = page.url()
      // While the response is pending, nothing may close the dialog that will show it: the old token no longer works.
      const { asked, letGo } = await holdBack(page, /\/rotate$/)
      await confirm(page, 'Rotate')
      await asked
      await expect.poll(() => asksOnReload(page)).toBe(true)
      await page.keyboard.press('Escape')
      await confirm(page, 'Cancel')
      await page.evaluate(() => history.back())
      await page.getByRole('dialog', { name: 'Rotate ERP' }).waitFor()
      letGo()
      const token = await shown(page)
      await page.evaluate(() => history.back())
      await page.getByRole('alertdialog', { name: 'Close without copying the token?' }).waitFor()
      await confirm(page, 'Go back to the token')
      expect(await shown(page)).toBe(token)
      expect(page.url()).toBe(address)
      await page.evaluate(() => history.back())
      await confirm(page, 'Close without copying')
      await expect.poll(() => page.url()).toBe(world.url)
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    }))

  it('closing and reloading ask before an uncopied token is lost, but not after the token is copied', () =>
    play({}, async ({ page }) => {
      expect(await asksOnReload(page)).toBe(false)
      const token = await createByPage(page, 'ERP')
      await expect.poll(() => asksOnReload(page)).toBe(true)
      await confirm(page, 'I have saved it')
      await page.getByRole('alertdialog').waitFor()
      await page.keyboard.press('Enter')
      await expect.poll(() => page.getByRole('alertdialog').count()).toBe(0)
      expect(await shown(page)).toBe(token)
      await confirm(page, 'Copy token')
      await expect.poll(() => asksOnReload(page)).toBe(false)
      await confirm(page, 'I have saved it')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    }))

  it('a token selected and copied manually counts as copied', () =>
    play({}, async ({ page }) => {
      await createByPage(page, 'ERP')
      await page.locator('[data-token]').click({ clickCount: 3 })
      await page.keyboard.press('Control+c')
      await expect.poll(() => asksOnReload(page)).toBe(false)
      await confirm(page, 'I have saved it')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    }))

  it('a failed copy to the clipboard is reported, and the token is selected for manual copying', () =>
    play({}, async ({ page }) => {
      await page.evaluate(() => {
        Object.defineProperty(navigator, 'clipboard', { value: undefined })
        document.execCommand = () => false
      })
      const token = await createByPage(page, 'ERP')
      await confirm(page, 'Copy token')
      await page.getByText('Could not copy. Select the text and copy it manually.').waitFor()
      expect(await page.evaluate(() => getSelection()?.toString())).toBe(token)
      for (const width of [320, 1440]) {
        await page.setViewportSize({ width, height: 900 })
        expect(await wider(page.getByRole('dialog')), `${width}`).toEqual([])
      }
      expect(await asksOnReload(page)).toBe(true)
    }))

  it('an Enter keypress while a dialog opens does nothing', () =>
    play(one, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Rotate')
      await page.getByRole('dialog', { name: 'Rotate ERP' }).waitFor()
      await page.keyboard.press('Enter')
      await press(page, 'Cancel')
      await press(page, 'Revoke')
      await page.getByRole('dialog', { name: 'Revoke ERP?' }).waitFor()
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').getByLabel('Reason').fill('x')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Revoke ERP?' }).waitFor()
      expect((await world.tokens.system.list()).items.map(({ status, replacedById }) => [status, replacedById])).toEqual([
        ['active', undefined],
      ])
    }))

  it('the review opens with focus on its Create button, so Enter creates the token with everything that was entered', () =>
    play({}, async ({ page, world }) => {
      await press(page, 'Create token')
      await chooseEveryTenant(page)
      await page.getByRole('dialog').getByLabel('Name').fill('ERP')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Review the token' }).waitFor()
      await expect.poll(() => focused(page)).toBe('Create token')
      await page.keyboard.press('Enter')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list()).items).toHaveLength(1)
      await keep(page)
    }))

  it.each(['Escape', 'Back', 'Cancel'] as const)('%s asks before discarding a changed form, but not an unchanged one', (how) =>
    play(one, async ({ page }) => {
      const leave = (): Promise<unknown> =>
        how === 'Escape' ? page.keyboard.press('Escape') : how === 'Back' ? page.evaluate(() => history.back()) : confirm(page, 'Cancel')
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Edit')
      await page.getByRole('dialog').getByLabel('Name').fill('Another name')
      await expect.poll(() => asksOnReload(page)).toBe(true)
      await leave()
      await confirm(page, 'Keep editing')
      // If the question were still open, Escape would answer it.
      await expect.poll(() => page.getByRole('alertdialog').count()).toBe(0)
      await expect.poll(() => page.getByRole('dialog').getByLabel('Name').inputValue()).toBe('Another name')
      // Interact again: browsers let a page intercept Escape only if the user has done something since the last time.
      await page.getByRole('dialog').getByLabel('Name').click()
      await page.keyboard.press('End')
      await page.keyboard.type('!')
      await leave()
      await confirm(page, 'Discard')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
      if (how === 'Back') await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Edit')
      await page.getByRole('dialog').getByLabel('Name').waitFor()
      await leave()
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    }),
  )

  it('holding down Enter in the form creates nothing until Enter is pressed again in the review', () =>
    play({}, async ({ page, world }) => {
      await press(page, 'Create token')
      await chooseEveryTenant(page)
      await page.getByRole('dialog').getByLabel('Name').fill('ERP')
      await page.keyboard.down('Enter')
      await page.getByRole('dialog', { name: 'Review' }).waitFor()
      await expect.poll(() => focused(page)).toBe('Create token')
      for (let times = 0; times < 3; times += 1) await page.keyboard.down('Enter')
      await page.keyboard.up('Enter')
      expect(await page.getByRole('dialog', { name: 'Review' }).count()).toBe(1)
      expect(world.seen.filter(({ method }) => method === 'POST')).toEqual([])
      await page.keyboard.press('Enter')
      await page.locator('[data-token]:not(:empty)').waitFor()
    }))
})
