import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { bringIn, imports } from './support/scene.js'
import { seed } from './support/seed.js'
import { confirm, press, stage, type Wanted } from './support/stage.js'

const { path = '', skip } = findChromium()

const two: Wanted = {
  before: async ({ tokens }) => {
    for (const name of ['ERP', 'Shop']) await tokens.system.create({ name, tenantId: 'acme', ownerId: 'ann', scopes: ['orders:read'] })
  },
}

async function selectAndRevoke(page: Page, ...names: readonly string[]): Promise<Locator> {
  for (const name of names) await page.getByRole('checkbox', { name: `Select ${name}` }).check()
  await page
    .getByRole('region', { name: `${names.length} selected` })
    .getByRole('button', { name: 'Revoke' })
    .click()
  return page.getByRole('dialog', { name: /^Revoke \d tokens?\?$/ })
}

const asksOnReload = (page: Page): Promise<boolean> => page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })))

describe.skipIf(skip !== undefined)(`several tokens at once ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the bulk Revoke dialog shows current usage, not the usage from when the list was loaded', () =>
    play(two, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      const { record, token } = await world.tokens.system.create({ name: 'CI', scopes: ['orders:read'] })
      await page.reload()
      await page.getByRole('link', { name: 'CI' }).waitFor()
      await world.tokens.verify(token, { ip: '192.0.2.1', endpoint: 'GET /orders' })
      await world.tokens.flush()
      const dialog = await selectAndRevoke(page, 'CI', 'ERP')
      await dialog.getByText('1 of them was used in the last 30 days.').waitFor()
      await dialog.getByText(/The last call was .*, with CI\.$/).waitFor()
      await expect.poll(() => dialog.locator('.break-counts').textContent()).toMatch(/^Calls in 24 hours1Calls in 30 days1$/)
      await expect
        .poll(() => dialog.getByRole('listitem').allTextContents())
        .toEqual([expect.stringMatching(/^CI .*last used/), expect.stringMatching(/^ERP .*never used$/)])
      await confirm(page, 'Revoke permanently')
      await expect.poll(async () => (await world.tokens.system.get(record.id))?.status).toBe('revoked')
    }))

  it('the bulk Revoke dialog does not claim "never used" while usage is unknown, or for imported tokens', () =>
    play(
      {
        options: { imports },
        before: async (world) => {
          await two.before?.(world)
          await bringIn({ world, ids: new Map() })
        },
      },
      async ({ page }) => {
        await page
          .getByRole('row', { name: /Old CI key/ })
          .getByText('Not used since import')
          .waitFor()
        let answer: 'wait' | 'fail' | 'go on' = 'wait'
        await page.route(/\/\?ids=/, async (route) => {
          await expect.poll(() => answer).not.toBe('wait')
          return answer === 'fail' ? route.fulfill({ status: 500, body: '' }) : route.fallback()
        })
        const dialog = await selectAndRevoke(page, 'ERP', 'Old CI key')
        await dialog.getByText('Checking when they were last used…').waitFor()
        answer = 'fail'
        await dialog.getByText('Their usage could not be loaded. Something may depend on them.').waitFor()
        expect(await dialog.getByText(/never used|ever been used/).count()).toBe(0)
        answer = 'go on'
        await dialog.getByText('None of them has been used here. Some were imported').waitFor()
      },
    ))

  it('texts about a single token are in the singular, in the list and in the bulk Revoke dialog', () =>
    play(two, async ({ page, world }) => {
      const { token } = await world.tokens.system.create({ name: 'CI', scopes: ['orders:read'] })
      await world.tokens.verify(token)
      await world.tokens.flush()
      await page.reload()
      await page.getByRole('img', { name: '1 call in the last 14 days' }).waitFor()
      await (await selectAndRevoke(page, 'ERP')).getByText('It has never been used, so nothing is known to depend on it.').waitFor()
      await confirm(page, 'Cancel')
      await page.getByRole('checkbox', { name: 'Select ERP' }).uncheck()
      await page.route(/\/usage\?id/, (route) => route.fulfill({ status: 500, body: '' }))
      const dialog = await selectAndRevoke(page, 'CI')
      await dialog.getByText('It was used in the last 30 days. Calls that use it will fail.').waitFor()
      await dialog.getByText('Its calls could not be counted.').waitFor()
      expect(await dialog.getByText(/\b(them|their)\b/i).count()).toBe(0)
    }))

  it('the bulk Revoke dialog describes a single token in the singular even if the server does not count usage', () =>
    play({ ...two, options: { usage: false } }, async ({ page }) => {
      const dialog = await selectAndRevoke(page, 'ERP')
      await dialog.getByText('This server does not count usage, so check whether something still uses it.').waitFor()
      expect(await dialog.getByText(/\b(them|their)\b/i).count()).toBe(0)
    }))

  it('Revoke all shows how many tokens are in use, how often, and when they were last used, before the button is pressed', () => {
    let ids: ReadonlyMap<string, string> = new Map()
    return play({ before: async (world) => (ids = await seed(world)) }, async ({ page, world }) => {
      await press(page, 'Revoke all')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Tenant', { exact: true }).fill('bolt')
      await dialog.getByText('3 tokens will be revoked.').waitFor()
      await dialog.getByText('2 of them were used in the last 30 days.').waitFor()
      await dialog.getByText(/The last call was .*, with Web shop\.$/).waitFor()
      const counts = dialog.locator('.break-counts dd')
      await expect.poll(() => counts.count()).toBe(2)
      const [day = 0, month = 0] = (await counts.allTextContents()).map((text) => Number(text.replaceAll(',', '')))
      const from = new Date(Date.now() - 30 * 86_400_000)
      let total = 0
      for (const name of ['Web shop', 'Refund bot']) total += (await world.tokens.system.usage(ids.get(name) ?? '', { from })).total
      expect(Math.abs(month - total)).toBeLessThan(total / 20)
      expect(day).toBeGreaterThan(0)
      await dialog.getByText('One owner', { exact: true }).click()
      await dialog.getByLabel('Owner', { exact: true }).fill('erp')
      await dialog.getByText('1 token will be revoked.').waitFor()
      await dialog.getByText(/with ERP nightly sync\.$/).waitFor()
      await page.route(/\/usage\?id/, (route) => route.fulfill({ status: 500, body: '' }))
      await dialog.getByLabel('Owner', { exact: true }).fill('logistics')
      await dialog.getByText(/^It was used in the last 30 days\..* with Warehouse scanner fleet\.$/).waitFor()
      await dialog.getByText('Its calls could not be counted.').waitFor()
    })
  })

  it('Revoke all does not claim that tokens are unused on a server that does not count usage', () =>
    play({ ...two, options: { usage: false } }, async ({ page }) => {
      await press(page, 'Revoke all')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('One owner', { exact: true }).click()
      await dialog.getByLabel('Owner', { exact: true }).fill('ann')
      await dialog.getByText('2 tokens will be revoked.').waitFor()
      await dialog.getByText('This server does not count usage, so check whether something still uses them.').waitFor()
      expect(await dialog.getByText(/never|ever been/).count()).toBe(0)
    }))

  /** Starts to deactivate all tokens and holds the first responses until the returned function is called. */
  const beginToDeactivate = async (page: Page): Promise<() => void> => {
    let letGo = (): void => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    await page.route(/\/deactivate$/, async (route) => {
      await held
      await route.fallback()
    })
    await page.getByRole('checkbox', { name: 'Select all on this page' }).check()
    await page
      .getByRole('region', { name: /selected/ })
      .getByRole('button', { name: 'Deactivate' })
      .click()
    await expect.poll(() => asksOnReload(page)).toBe(true)
    return letGo
  }

  it('a bulk change continues behind the create form, and the page asks only before the user leaves the list', () =>
    play({ before: seed }, async ({ page }) => {
      const letGo = await beginToDeactivate(page)
      const question = page.getByRole('alertdialog')
      const form = page.getByRole('dialog', { name: 'Create a token' })
      await press(page, 'Create token')
      await form.waitFor()
      expect(await question.count()).toBe(0)
      await page.goBack()
      await form.waitFor({ state: 'detached' })
      expect(await question.count()).toBe(0)
      await page.getByRole('link', { name: 'Audit log' }).click()
      await page.getByRole('alertdialog', { name: 'Stop the changes?' }).waitFor()
      await confirm(page, 'Stay')
      letGo()
      await page.getByText(/^\d+ tokens changed$/).waitFor()
    }))

  it('a link, Back and a reload ask before they interrupt a bulk change', () =>
    play({ before: seed }, async ({ page, world }) => {
      const letGo = await beginToDeactivate(page)
      await page.getByRole('link', { name: 'Price feed' }).click()
      await page.getByRole('alertdialog', { name: 'Stop the changes?' }).waitFor()
      await confirm(page, 'Stay')
      await page.getByRole('link', { name: 'Audit log' }).click()
      await confirm(page, 'Stop and leave')
      await page.getByRole('heading', { name: 'Audit log' }).waitFor()
      letGo()
      // Requests in flight complete, and the remaining tokens stay unchanged.
      await page.getByText('4 tokens changed').waitFor()
      await expect.poll(() => asksOnReload(page)).toBe(false)
      expect((await world.tokens.system.list({ status: 'inactive' })).items).toHaveLength(5)
    }))

  it('a bulk change reports its failures even when another search was typed in the meantime', () =>
    play({ before: seed }, async ({ page }) => {
      let letGo = (): void => {}
      const held = new Promise<void>((resolve) => {
        letGo = resolve
      })
      await page.route(/\/deactivate$/, async (route) => {
        await held
        await route.fulfill({ status: 500, body: '' })
      })
      await page.getByRole('checkbox', { name: 'Select Price feed' }).check()
      await page.getByRole('region', { name: '1 selected' }).getByRole('button', { name: 'Deactivate' }).click()
      await page.getByRole('searchbox', { name: 'Search by name' }).fill('shop')
      await expect.poll(() => page.locator('a.token-name').allTextContents()).toEqual(['Web shop'])
      letGo()
      // It is unknown whether the server made the change, so the dialog claims neither outcome.
      const dialog = page.getByRole('dialog', { name: '1 token may not have been changed' })
      await expect.poll(() => dialog.getByRole('listitem').allTextContents()).toEqual([expect.stringContaining('Price feed')])
      await dialog.getByText('It may have been changed anyway.').waitFor()
      expect(await dialog.getByText('No tokens were changed').count()).toBe(0)
    }))
})

describe.skipIf(skip !== undefined)(`usage retention of a week ${skip ?? ''}`, () => {
  const play = stage(path)

  it('counts with a week of retention are labeled as 7 days everywhere', () => {
    let ids: ReadonlyMap<string, string> = new Map()
    return play(
      { options: { retention: { usage: '7d' } }, before: async (world) => (ids = await seed(world)) },
      async ({ page, world }) => {
        await page.getByRole('columnheader', { name: '7 days' }).waitFor()
        const dialog = await selectAndRevoke(page, 'Web shop')
        await dialog.getByText('Calls in 7 days').waitFor()
        await page.keyboard.press('Escape')
        await page.goto(`${world.url}?token=${ids.get('Web shop')}`)
        await page.getByText('No calls needed these scopes in the last 7 days.').waitFor()
        await page.getByText('Counts are kept for 7 days.').waitFor()
        expect(await page.locator('.segments').getByRole('button').allTextContents()).toEqual(['24 hours', '7 days'])
        await press(page, 'Revoke')
        await page.getByRole('dialog').getByText('Top endpoints in 7 days').waitFor()
        expect(await page.getByText(/14 days|in 30 days|last 30 days/).count()).toBe(0)
      },
    )
  })

  it('counts that are kept for only a few hours are labeled in hours', () =>
    play({ ...two, options: { retention: { usage: '6h' } } }, async ({ page, world }) => {
      const { token } = await world.tokens.system.create({ name: 'CI', scopes: ['orders:read'] })
      await world.tokens.verify(token)
      await world.tokens.flush()
      await page.reload()
      const dialog = await selectAndRevoke(page, 'CI')
      await expect.poll(() => dialog.locator('.break-counts').textContent()).toMatch(/^Calls in 6 hours1$/)
    }))
})
