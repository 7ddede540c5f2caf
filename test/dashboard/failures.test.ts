import type { Page, Route } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { expressWith } from './support/host.js'
import { seed } from './support/seed.js'
import { chooseEveryTenant, confirm, keep, press, stage, type Wanted } from './support/stage.js'

const { path = '', skip } = findChromium()
const isList = (url: URL): boolean => url.pathname === '/admin/tokens/' && url.searchParams.has('limit')
const broken = (): never => {
  throw new Error('down')
}
const one: Wanted = { before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read'] }) }

/** Lets changes reach the server but drops the first `count` responses. */
async function loseAnswers(page: Page, count: number, match: RegExp): Promise<void> {
  let left = count
  await page.route(match, async (route: Route) => {
    if (route.request().method() !== 'POST' || left === 0) return route.fallback()
    left -= 1
    await route.fetch()
    await route.abort('connectionreset')
  })
}

describe.skipIf(skip !== undefined)(`failures ${skip ?? ''}`, () => {
  const play = stage(path)

  it.each([
    ['a server error', { status: 500, body: '<h1>Oops</h1>' }, 'Something went wrong on the server'],
    ['a proxy whose server is down', { status: 502, body: 'Bad gateway' }, 'Something went wrong on the server'],
    ['an unavailable store', { status: 503, body: '{"code":"store_unavailable"}' }, 'Something went wrong on the server'],
    ['a rate limit', { status: 429, headers: { 'retry-after': '30' }, body: '{}' }, 'Too many requests'],
    ['a redirect to a sign-in page', { status: 302, headers: { location: '/login' }, body: '' }, 'You are not signed in'],
    ['an expired session', { status: 401, body: '{}' }, 'You are not signed in'],
    [
      'an HTML page from a proxy',
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Sign in</h1>' },
      'The response did not come from the API',
    ],
    ['a captive portal', { status: 511, body: '<h1>Welcome</h1>' }, 'The response did not come from the API'],
  ] as const)('the page names the failure: %s', (_, answer, title) =>
    play({ before: seed }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      await page.route(isList, (route) => route.fulfill(answer))
      await press(page, 'No expiry')
      await page.getByRole('heading', { name: title }).waitFor()
    }),
  )

  it('the page reports an application error, not a store error, when only names fail to load, and shows IDs instead', () =>
    play({ before: seed, start: expressWith({ tenants: broken, owners: () => [] }) }, async ({ page }) => {
      await page.getByRole('cell', { name: 'corvid', exact: true }).first().waitFor()
      await page.getByText('The application behind this page could not provide names. IDs are shown instead.').waitFor()
      await page.getByRole('button', { name: 'Tenant: All tenants' }).click()
      const panel = page.getByRole('dialog', { name: 'Tenant' })
      await panel.getByText('The application behind this page could not provide names. You can still enter an ID.').waitFor()
      expect(await page.getByText('token store').count()).toBe(0)
    }))

  it('forms whose suggestions cannot be loaded say so and accept an ID', () =>
    play({ before: seed, start: expressWith({ tenants: broken, owners: broken }) }, async ({ page }) => {
      const hint = 'The application behind this page could not provide names. You can still enter an ID.'
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await expect.poll(() => dialog.getByText(hint).count()).toBe(2)
      await page.keyboard.press('Escape')
      await press(page, 'Revoke all')
      await expect.poll(() => dialog.getByText(hint).count()).toBe(1)
      await dialog.getByRole('combobox', { name: 'Tenant' }).fill('acme')
      await dialog.getByText(/tokens? will be revoked/).waitFor()
    }))

  it('the form reports an application error when mayOwn() fails, and reports a move while changes are paused', () =>
    play({ options: { mayOwn: broken } }, async ({ page }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name').fill('ERP')
      await chooseEveryTenant(page)
      await dialog.getByRole('combobox', { name: 'Owner' }).fill('ada')
      await dialog.getByRole('checkbox', { name: /^orders:read / }).check()
      await confirm(page, 'Review')
      await confirm(page, 'Create token')
      await dialog.getByText('The application behind this page failed.').waitFor()
      await page.route(/\/admin\/tokens\/$/, (route) => route.fulfill({ status: 503, body: '{"code":"store_moving"}' }))
      await confirm(page, 'Create token')
      await dialog.getByText('Tokens are being moved.').waitFor()
      expect(await page.getByText('token store').count()).toBe(0)
    }))

  it('the page distinguishes an offline browser from an unreachable server, and continues once the browser is online', () =>
    play({ before: seed }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      await page.route(isList, (route) => route.abort('connectionrefused'))
      await press(page, 'No expiry')
      await page.getByRole('heading', { name: 'The server cannot be reached' }).waitFor()
      await page.unroute(isList)
      await page.context().setOffline(true)
      await press(page, 'Never used')
      await page.getByRole('heading', { name: 'You are offline' }).waitFor()
      await page.context().setOffline(false)
      await page.getByRole('link', { name: 'Staging smoke tests' }).waitFor()
    }))

  it('the page honors Retry-After with a countdown and backs off when the failure repeats', () =>
    play({ before: seed, clock: true }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      const asked: number[] = []
      let answer: Parameters<Route['fulfill']>[0] = { status: 429, headers: { 'retry-after': '30' }, body: '{}' }
      await page.route(isList, async (route) => {
        asked.push(await page.evaluate(() => Date.now()))
        await route.fulfill(answer)
      })
      await press(page, 'No expiry')
      await page.getByText('Trying again in 30 seconds').waitFor()
      await page.clock.runFor(10_000)
      await page.getByText('Trying again in 20 seconds').waitFor()
      await page.clock.runFor(19_000)
      expect(asked).toHaveLength(1)
      answer = { status: 500, body: '' }
      for (let times = 2; times < 6; times += 1) {
        await expect
          .poll(async () => {
            await page.clock.runFor(1000)
            return asked.length
          })
          .toBeGreaterThanOrEqual(times)
      }
      const waits = asked.slice(1).map((at, index) => at - (asked[index] ?? 0))
      expect(waits[3]).toBeGreaterThan((waits[1] ?? 0) * 1.5)
      // A month exceeds the maximum delay of a timer.
      answer = { status: 429, headers: { 'retry-after': '2592000' }, body: '{}' }
      await press(page, 'Never used')
      await page.getByText(/Trying again in 3,?(600|599) seconds/).waitFor()
      const before = asked.length
      await page.clock.runFor(60_000)
      expect(asked).toHaveLength(before)
    }))

  it('after a lost response, the page shows the one token that was created and offers to rotate it', () =>
    play({}, async ({ page, world }) => {
      await loseAnswers(page, 1, /\/admin\/tokens\/$/)
      await press(page, 'Create token')
      await page.getByRole('dialog').getByLabel('Name').fill('ERP')
      await chooseEveryTenant(page)
      await confirm(page, 'Review')
      await confirm(page, 'Create token')
      await page.getByRole('dialog', { name: 'The token was created, but not shown' }).waitFor()
      const [orphan] = (await world.tokens.system.list()).items
      await page
        .getByRole('dialog')
        .getByText(orphan?.hint ?? '')
        .waitFor()
      await confirm(page, 'Rotate it now')
      const token = await page.locator('[data-token]:not(:empty)').textContent()
      await keep(page)
      const { items } = await world.tokens.system.list()
      expect(items.map(({ status }) => status)).toEqual(['active', 'revoked'])
      expect(await world.tokens.introspect(token ?? '')).toMatchObject({ active: true })
    }))

  it('a lost response does not rotate twice: the page shows the successor and offers to rotate it', () =>
    play(one, async ({ page, world }) => {
      await loseAnswers(page, 1, /\/rotate$/)
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Rotate')
      await confirm(page, 'Rotate')
      await page.getByRole('dialog', { name: 'The token was created, but not shown' }).waitFor()
      await confirm(page, 'Later')
      await page.getByText('The token it replaces works until').waitFor()
      expect((await world.tokens.system.list()).items).toHaveLength(2)
    }))

  it('a form keeps its draft when the session expires, so people can sign in in another tab and continue', () =>
    play({ dashboard: { signIn: '/login' } }, async ({ page, world }) => {
      await press(page, 'Create token')
      await page.getByRole('dialog').getByLabel('Name').fill('Long work')
      await chooseEveryTenant(page)
      await confirm(page, 'Review')
      await page.context().clearCookies()
      await confirm(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('Nothing you typed is lost').waitFor()
      const link = dialog.getByRole('link', { name: 'Sign in' })
      await expect.poll(() => link.getAttribute('href')).toBe('/login')
      await expect.poll(() => link.getAttribute('target')).toBe('_blank')
      await page.context().addCookies([{ name: 'user', value: 'root', url: world.origin }])
      await confirm(page, 'Create token')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list()).items.map(({ name }) => name)).toEqual(['Long work'])
    }))

  it('a form keeps its draft when a proxy answers instead of the API, and then creates one token', () =>
    play({}, async ({ page, world }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name').fill('Long work')
      await chooseEveryTenant(page)
      await confirm(page, 'Review')
      await page.clock.install()
      await page.route(/\/admin\/tokens\/$/, (route) => route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Sign in</h1>' }))
      await confirm(page, 'Create token')
      await page.clock.runFor(10_000)
      await dialog.getByText('The response did not come from the API.').waitFor()
      await dialog.getByText('Nothing you typed is lost.').waitFor()
      expect(await dialog.getByRole('link', { name: 'Open a new tab' }).getAttribute('target')).toBe('_blank')
      await page.unrouteAll()
      await confirm(page, 'Create token')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list()).items).toHaveLength(1)
    }))

  it('a bulk change lists the tokens that failed and keeps them selected', () =>
    play({ before: seed }, async ({ page, world }) => {
      for (const name of ['Price feed', 'Web shop']) await page.getByRole('checkbox', { name: `Select ${name}` }).check()
      const [shop] = (await world.tokens.system.list({ name: 'Web shop' })).items
      await world.tokens.system.update(shop?.id ?? '', { description: 'changed in the meantime' })
      await page.getByRole('region', { name: '2 selected' }).getByRole('button', { name: 'Deactivate' }).click()
      const dialog = page.getByRole('dialog', { name: '1 token could not be changed' })
      await dialog.getByText('1 token was changed.').waitFor()
      await expect.poll(() => dialog.getByRole('listitem').allTextContents()).toEqual([expect.stringContaining('Web shop')])
      await dialog.getByRole('button', { name: 'Close' }).last().click()
      // Until the list is reloaded, the row still holds the outdated version of the token.
      await page.locator('.results[aria-busy="false"]').waitFor()
      await page.getByRole('region', { name: '1 selected' }).getByRole('button', { name: 'Deactivate' }).click()
      await page.getByText('1 token changed').waitFor()
      expect((await world.tokens.system.list({ status: 'inactive' })).items.map(({ name }) => name)).toContain('Web shop')
    }))

  it('an edit whose response was lost counts as saved and is not reported as a conflict', () =>
    play(one, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Edit')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name').fill('ERP of mine')
      const lose = async (route: Route): Promise<void> => {
        if (route.request().method() === 'GET') return route.fallback()
        await route.fetch()
        await route.abort('connectionreset')
      }
      await page.route(/\/admin\/tokens\/[0-9A-Za-z]{16}/, lose)
      await confirm(page, 'Save changes')
      await dialog.getByText('It may have been saved anyway.').waitFor()
      await page.unrouteAll()
      await dialog.getByLabel('Description').fill('Said later')
      await confirm(page, 'Save changes')
      await page.getByText('Changes saved').waitFor()
      await page.getByRole('heading', { name: 'ERP of mine' }).waitFor()
      expect((await world.tokens.system.list()).items).toMatchObject([{ name: 'ERP of mine', description: 'Said later' }])
      await page.route(/\/deactivate$/, lose)
      await press(page, 'Deactivate')
      await page.getByText('The server cannot be reached').waitFor()
      await page.unrouteAll()
      await press(page, 'Deactivate')
      await page.getByText('Token deactivated').waitFor()
      await page.getByRole('button', { name: 'Activate', exact: true }).waitFor()
    }))
})
