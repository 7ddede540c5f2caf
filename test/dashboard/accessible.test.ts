import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { seed } from './support/seed.js'
import { chooseEveryTenant, keep, press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe-core finds wrong on the page as it stands. */
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

const LOOKS = [
  { colorScheme: 'light', viewport: { width: 1440, height: 900 } },
  { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
] as const

describe.skipIf(skip !== undefined)(`axe-core finds nothing ${skip ?? ''}`, () => {
  const play = stage(path)

  it.each(LOOKS)(
    'in the list, its dialogs and on a token ($colorScheme, $viewport.width)',
    (context) => {
      let ids: ReadonlyMap<string, string> = new Map()
      return play({ before: async (world) => (ids = await seed(world)), context }, async ({ page, world }) => {
        await page.getByRole('link', { name: 'Price feed' }).waitFor()
        await page.getByRole('checkbox', { name: 'Select Price feed' }).check()
        expect(await findings(page), 'list').toEqual([])
        await page.getByRole('button', { name: 'Actions for Price feed' }).click()
        await page.getByRole('menuitem', { name: 'Edit' }).waitFor()
        expect(await findings(page), 'menu').toEqual([])
        await page.keyboard.press('Escape')
        await press(page, 'Revoke all')
        await page.getByRole('dialog').getByLabel('Tenant', { exact: true }).fill('acme')
        await page.getByText('5 tokens will be revoked.').waitFor()
        expect(await findings(page), 'revoke all').toEqual([])
        await page.keyboard.press('Escape')
        await page.getByRole('dialog').waitFor({ state: 'detached' })
        await press(page, 'Create token')
        const dialog = page.getByRole('dialog')
        await dialog.getByText('Never', { exact: true }).click()
        await dialog.getByRole('button', { name: 'Review' }).click()
        await dialog.getByText('Give it a name.').waitFor()
        expect(await findings(page), 'form with an error').toEqual([])
        await dialog.getByLabel('Name').fill('x')
        await chooseEveryTenant(page)
        await dialog.getByRole('button', { name: 'Review' }).click()
        await page.getByRole('dialog', { name: 'Review the token' }).waitFor()
        expect(await findings(page), 'review').toEqual([])
        await dialog.getByRole('button', { name: 'Create token' }).click()
        await page.locator('[data-token]:not(:empty)').waitFor()
        expect(await findings(page), 'shown once').toEqual([])
        await keep(page)
        await page.goto(`${world.url}?screen=audit`)
        await page.locator('.audit-line').first().waitFor()
        expect(await findings(page), 'audit log').toEqual([])
        for (const name of ['Warehouse scanner fleet', 'Refund bot', 'Contractor laptop']) {
          await page.goto(`${world.url}?token=${ids.get(name)}`)
          await page.locator('.audit summary').first().click()
          await page.locator('.explain summary').click()
          await page.locator('.explained li').first().waitFor()
          await page.locator('.shares li').first().waitFor()
          expect(await findings(page), name).toEqual([])
        }
      })
    },
    60_000,
  )

  it('in the states without tokens', () =>
    play({ user: 'nobody' }, async ({ page }) => {
      await page.getByRole('heading', { name: 'You are not signed in' }).waitFor()
      expect(await findings(page), 'signed out').toEqual([])
      await page.context().addCookies([{ name: 'user', value: 'root', url: page.url() }])
      await press(page, 'Try again')
      await page.getByRole('heading', { name: 'No tokens yet' }).waitFor()
      expect(await findings(page), 'empty').toEqual([])
    }))

  it('with a colour of the host that nobody could read', () =>
    play({ before: seed, dashboard: { accent: '#ffe94d' }, context: { colorScheme: 'light' } }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      expect(await findings(page)).toEqual([])
    }))
})
