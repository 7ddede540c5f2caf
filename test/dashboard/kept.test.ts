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

/** Lets changes reach the server, and loses every answer on the way back until it is told to stop. */
async function loseAnswers(page: Page, match: RegExp): Promise<() => Promise<void>> {
  const lose = async (route: Route): Promise<void> => {
    if (route.request().method() !== 'POST') return route.fallback()
    await route.fetch()
    await route.abort('connectionreset')
  }
  await page.route(match, lose)
  return () => page.unroute(match, lose)
}

/** Fills the form of a new token and sends it, whatever becomes of the answer. */
async function askForToken(page: Page, name: string): Promise<void> {
  await press(page, 'Create token')
  await page.getByRole('dialog').getByLabel('Name').fill(name)
  await chooseEveryTenant(page)
  await confirm(page, 'Review')
  await confirm(page, 'Create token')
}

const title = (page: Page, name: string) => page.getByRole('dialog', { name, exact: true })

describe.skipIf(skip !== undefined)(`what is kept ${skip ?? ''}`, () => {
  const play = stage(path)

  it('is a token that is shown once, when somebody else signs in beside it', () =>
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

  it('is what was typed, when somebody else signs in beside it', () =>
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

  it('is not the token where another text was copied', () =>
    play({}, async ({ page }) => {
      await createByPage(page, 'ERP')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('ERP', { exact: true }).click({ clickCount: 3 })
      await page.keyboard.press('Control+c')
      await confirm(page, 'I have stored it')
      await page.getByRole('alertdialog', { name: 'Close without copying the token?' }).waitFor()
      await confirm(page, 'Go back to the token')
      await dialog.locator('code').filter({ hasText: 'curl' }).click({ clickCount: 3 })
      await page.keyboard.press('Control+c')
      await confirm(page, 'I have stored it')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    }))

  it('is what was typed into Revoke all, which Escape and its buttons ask about', () =>
    play(one, async ({ page }) => {
      await press(page, 'Revoke all')
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

  it('is what was typed, in a conflict that Escape asks about', () =>
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

  it('is what was typed, in a conflict that names who changed the token, not who was refused later', () =>
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
    'is one token where every answer to its creation was lost and the form was then changed',
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
    'is one token where the answers to two wordings of its creation were lost and a third was sent',
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
        // The first one never reached the server, the second one did.
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
        await dialog.getByText('It was created as you had written it before. Your later changes are not in it.').waitFor()
        await confirm(page, 'Rotate it now')
        await page.locator('[data-token]:not(:empty)').waitFor()
        await expect.poll(() => page.locator('.reveal-name').textContent()).toBe('Second')
      }),
    30_000,
  )

  it.each([
    ['a limit', { status: 429, body: '{}' }],
    ['a session that ended', { status: 401, body: '{}' }],
  ] as const)('is one token where the answer to its creation was lost and the next one was %s', (_, answer) =>
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
    'is shown in the list where a creation without an answer is given up',
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
    'is the successor where every answer to a rotation was lost and another overlap was then chosen',
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
        await page.getByRole('dialog').getByText('The old token works until').waitFor()
        expect(await page.getByRole('dialog').getByText('The old token stopped working').count()).toBe(0)
        await keep(page)
        expect(await world.tokens.introspect(token ?? '')).toMatchObject({ active: true })
      }),
    30_000,
  )

  it.each([
    ['a rotation', 'Rotate', 'Rotate', /\/rotate$/, 'It may have been rotated anyway.', 'Open the successor'],
    ['a revocation', 'Revoke', 'Revoke for good', /\/revoke$/, 'It may have been revoked anyway.', 'This cannot be undone.'],
  ] as const)(
    'is told and shown where %s without an answer is given up',
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

  it('is told and shown where a revocation of all without an answer is given up', () =>
    play(one, async ({ page }) => {
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await loseAnswers(page, /\/revoke-all$/)
      await press(page, 'Revoke all')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('Everywhere').click()
      await dialog.getByLabel(/^Type/).fill('revoke everything')
      await dialog.getByRole('button', { name: 'Revoke all of them' }).click()
      await dialog.getByText('They may have been revoked anyway.').waitFor()
      await confirm(page, 'Cancel')
      await confirm(page, 'Discard')
      await page.getByRole('row', { name: /ERP/ }).getByText('Revoked', { exact: true }).waitFor()
    }))
})
