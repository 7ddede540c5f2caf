import type { Page, Route } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import type { World } from './support/host.js'
import { chooseEveryTenant, confirm, createByPage, keep, press, stage, type Wanted } from './support/stage.js'

const { path = '', skip } = findChromium()
const one: Wanted = { before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read'] }) }

const shown = (page: Page): Promise<string | null> => page.locator('[data-token]:not(:empty)').textContent()
const asksOnReload = (page: Page): Promise<boolean> => page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })))

async function becomes(page: Page, world: World, user: string): Promise<void> {
  await page.context().addCookies([{ name: 'user', value: user, url: world.origin }])
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
}

/** Lets changes reach the server but drops every response until the returned function is called. */
async function loseAnswers(page: Page, match: RegExp): Promise<() => Promise<void>> {
  const lose = async (route: Route): Promise<void> => {
    if (route.request().method() !== 'POST') return route.fallback()
    await route.fetch()
    await route.abort('connectionreset')
  }
  await page.route(match, lose)
  return () => page.unroute(match, lose)
}

/** Fills in and submits the form of a new token without waiting for a response. */
async function askForToken(page: Page, name: string): Promise<void> {
  await press(page, 'Create token')
  await page.getByRole('dialog').getByLabel('Name').fill(name)
  await chooseEveryTenant(page)
  await confirm(page, 'Review')
  await confirm(page, 'Create token')
}

const title = (page: Page, name: string) => page.getByRole('dialog', { name, exact: true })

describe.skipIf(skip !== undefined)(`nothing is lost ${skip ?? ''}`, () => {
  const play = stage(path)

  it('a token shown once stays visible when another user signs in in another tab', () =>
    play({}, async ({ page, world }) => {
      const token = await createByPage(page, 'ERP')
      await becomes(page, world, 'uma')
      await page.getByRole('dialog').getByText('You are now signed in as uma@acme.example').waitFor()
      await page.locator('.who-name', { hasText: 'uma@acme.example' }).waitFor()
      await page.evaluate(() => dispatchEvent(new Event('focus')))
      expect(await shown(page)).toBe(token)
      await expect.poll(() => asksOnReload(page)).toBe(true)
      await keep(page)
      await page.getByRole('heading', { name: 'No tokens yet' }).waitFor()
      await page.locator('.who-name', { hasText: 'uma@acme.example' }).waitFor()
    }))

  it('a form keeps its input when another user signs in in another tab', () =>
    play({}, async ({ page, world }) => {
      await press(page, 'Create token')
      await page.getByRole('dialog').getByLabel('Name').fill('ERP')
      await becomes(page, world, 'uma')
      await page.getByText('You are now signed in as uma@acme.example').waitFor()
      expect(await page.getByRole('dialog').getByLabel('Name').inputValue()).toBe('ERP')
      await page.keyboard.press('Escape')
      await confirm(page, 'Discard')
      await page.locator('.who-name', { hasText: 'uma@acme.example' }).waitFor()
    }))

  it('copying other text does not count as copying the token', () =>
    play({}, async ({ page }) => {
      await createByPage(page, 'ERP')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('ERP', { exact: true }).click({ clickCount: 3 })
      await page.keyboard.press('Control+c')
      await confirm(page, 'I have saved it')
      await page.getByRole('alertdialog', { name: 'Close without copying the token?' }).waitFor()
      await confirm(page, 'Go back to the token')
      await dialog.locator('code').filter({ hasText: 'curl' }).click({ clickCount: 3 })
      await page.keyboard.press('Control+c')
      await confirm(page, 'I have saved it')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    }))

  it('closing Revoke all asks before discarding input', () =>
    play(one, async ({ page }) => {
      await press(page, 'Revoke all')
      await page.getByRole('dialog').getByLabel('Reason').waitFor()
      await page.keyboard.press('Escape')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
      await press(page, 'Revoke all')
      await page.getByRole('dialog').getByLabel('Reason').fill('The contract ended')
      await page.keyboard.press('Escape')
      await page.getByRole('alertdialog', { name: 'Discard your changes?' }).waitFor()
      await confirm(page, 'Keep editing')
      expect(await page.getByRole('dialog').getByLabel('Reason').inputValue()).toBe('The contract ended')
      await confirm(page, 'Cancel')
      await confirm(page, 'Discard')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    }))

  it('Escape asks before discarding input in a conflict', () =>
    play(one, async ({ page, world }) => {
      const [{ id } = { id: '' }] = (await world.tokens.system.list()).items
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Edit')
      await page.getByRole('dialog').getByLabel('Name').fill('ERP of mine')
      await world.tokens.system.update(id, { name: 'ERP of theirs' })
      await confirm(page, 'Save changes')
      await title(page, 'Someone else changed this token').waitFor()
      await page.keyboard.press('Escape')
      await confirm(page, 'Keep editing')
      await title(page, 'Someone else changed this token').getByText('ERP of mine').waitFor()
    }))

  it('a conflict names the person who changed the token, even after a later refusal', () =>
    play({}, async ({ page, world }) => {
      const { record, token } = await world.tokens.system.create({ name: 'ERP', scopes: ['orders:read'] })
      await page.reload()
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Edit')
      await page.getByRole('dialog').getByLabel('Name').fill('ERP of mine')
      await world.tokens.as({ id: 'ada@acme.example', tenants: '*', manages: 'all' }).deactivate(record.id)
      expect(await world.tokens.verify(token)).toMatchObject({ ok: false })
      await world.tokens.flush()
      await expect.poll(async () => (await world.tokens.system.events({ action: 'token.refused' })).items.length).toBe(1)
      await confirm(page, 'Save changes')
      await title(page, 'Someone else changed this token').getByText('ada@acme.example').first().waitFor()
    }))

  it(
    'the page creates one token when every response to its creation was lost and the form was then changed',
    () =>
      play({}, async ({ page, world }) => {
        const stop = await loseAnswers(page, /\/admin\/tokens\/$/)
        await askForToken(page, 'ERP')
        await page.getByRole('dialog').getByText('The server cannot be reached').waitFor()
        await stop()
        await confirm(page, 'Back to editing')
        await page.getByRole('dialog').getByLabel('Name').fill('ERP, once more')
        await confirm(page, 'Review')
        await confirm(page, 'Create token')
        const lost = title(page, 'The token was created, but not shown')
        const { items } = await world.tokens.system.list()
        expect(items.map(({ name }) => name)).toEqual(['ERP'])
        await lost.getByText(items[0]?.hint ?? '').waitFor()
        await confirm(page, 'Later')
        await page.getByRole('link', { name: 'ERP' }).waitFor()
      }),
    30_000,
  )

  it(
    'the page creates one token when the responses to two versions of the form were lost and a third version was sent',
    () =>
      play({}, async ({ page, world }) => {
        await page.clock.install()
        const dialog = page.getByRole('dialog')
        const reword = async (name: string): Promise<void> => {
          await confirm(page, 'Back to editing')
          await dialog.getByLabel('Name').fill(name)
          await confirm(page, 'Review')
          await confirm(page, 'Create token')
        }
        const unanswered = async (): Promise<void> => {
          await page.clock.runFor(10_000)
          await dialog.getByText('The server cannot be reached').waitFor()
        }
        // The first request never reached the server; the second did.
        await page.route(/\/admin\/tokens\/$/, (route) => route.abort('connectionrefused'))
        await askForToken(page, 'First')
        await unanswered()
        await page.unrouteAll()
        const stop = await loseAnswers(page, /\/admin\/tokens\/$/)
        await reword('Second')
        await unanswered()
        await stop()
        await reword('Third')
        await title(page, 'The token was created, but not shown').waitFor()
        expect((await world.tokens.system.list()).items.map(({ name }) => name)).toEqual(['Second'])
        await dialog.getByText('It was created from your first submission, without your later changes.').waitFor()
        await confirm(page, 'Rotate it now')
        await page.locator('[data-token]:not(:empty)').waitFor()
        await expect.poll(() => page.locator('.reveal-name').textContent()).toBe('Second')
      }),
    30_000,
  )

  it.each([
    ['a rate limit', { status: 429, body: '{}' }],
    ['an expired session', { status: 401, body: '{}' }],
  ] as const)('the page creates one token when the first response was lost and the next one was %s', (_, answer) =>
    play({}, async ({ page, world }) => {
      let tries = 0
      const match = /\/admin\/tokens\/$/
      await page.route(match, async (route) => {
        if (route.request().method() !== 'POST') return route.fallback()
        tries += 1
        if (tries > 1) return route.fulfill(answer)
        await route.fetch()
        await route.abort('connectionreset')
      })
      await askForToken(page, 'ERP')
      await page.getByRole('dialog').getByText('It may have been created anyway.').waitFor()
      await page.unroute(match)
      await confirm(page, 'Create token')
      await title(page, 'The token was created, but not shown').waitFor()
      expect((await world.tokens.system.list()).items).toHaveLength(1)
      await confirm(page, 'Later')
      await page.getByRole('link', { name: 'ERP' }).waitFor()
    }),
  )

  it(
    'the list shows the token when the user gives up on a creation without a response',
    () =>
      play({}, async ({ page }) => {
        const stop = await loseAnswers(page, /\/admin\/tokens\/$/)
        await askForToken(page, 'ERP')
        await page.getByRole('dialog').getByText('The server cannot be reached').waitFor()
        await page.getByRole('dialog').getByText('It may have been created anyway.').waitFor()
        await stop()
        await page.keyboard.press('Escape')
        await confirm(page, 'Discard')
        await page.getByRole('link', { name: 'ERP' }).waitFor()
      }),
    30_000,
  )

  it(
    'the page shows the successor when all responses to a rotation were lost and another overlap was chosen',
    () =>
      play(one, async ({ page, world }) => {
        const stop = await loseAnswers(page, /\/rotate$/)
        await page.getByRole('link', { name: 'ERP' }).click()
        await press(page, 'Rotate')
        await confirm(page, 'Rotate')
        await page.getByRole('dialog').getByText('The server cannot be reached').waitFor()
        await stop()
        await page.getByRole('dialog').getByText('In 7 days', { exact: true }).click()
        await confirm(page, 'Rotate')
        await title(page, 'The token was created, but not shown').waitFor()
        await confirm(page, 'Rotate it now')
        const token = await shown(page)
        await page.getByRole('dialog').getByText('The old token keeps working until').waitFor()
        expect(await page.getByRole('dialog').getByText('The old token stopped working').count()).toBe(0)
        await keep(page)
        expect(await world.tokens.introspect(token ?? '')).toMatchObject({ active: true })
      }),
    30_000,
  )

  it.each([
    ['a rotation', 'Rotate', 'Rotate', /\/rotate$/, 'It may have been rotated anyway.', 'Open the successor'],
    ['a revocation', 'Revoke', 'Revoke permanently', /\/revoke$/, 'It may have been revoked anyway.', 'This cannot be undone.'],
  ] as const)(
    'the page reports and shows the result when the user gives up on %s without a response',
    (_, act, confirmed, match, said, then) =>
      play(one, async ({ page }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        await loseAnswers(page, match)
        await press(page, act)
        await confirm(page, confirmed)
        await page.getByRole('dialog').getByText(said).waitFor()
        await confirm(page, 'Cancel')
        await page.getByText(then).waitFor()
      }),
    30_000,
  )

  it('the page reports and shows the result when the user gives up on Revoke all without a response', () =>
    play(one, async ({ page }) => {
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await loseAnswers(page, /\/revoke-all$/)
      await press(page, 'Revoke all')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('All tokens', { exact: true }).click()
      await dialog.getByLabel(/^Type/).fill('revoke everything')
      await dialog.getByRole('button', { name: 'Revoke these tokens' }).click()
      await dialog.getByText('They may have been revoked anyway.').waitFor()
      await confirm(page, 'Cancel')
      await confirm(page, 'Discard')
      await page.getByRole('row', { name: /ERP/ }).getByText('Revoked', { exact: true }).waitFor()
    }))
})
