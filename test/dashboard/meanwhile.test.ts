import type { Latchkey } from 'latchkey'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import type { World } from './support/host.js'
import { confirm, press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

/** Someone else, who works in another tab. */
const other = (tokens: Latchkey) => tokens.as({ id: 'bo', tenants: '*', manages: 'all' })

/** An action of someone else, and how the page reports it. */
const CHANGES = {
  revoked: {
    act: (tokens: Latchkey, id: string) => other(tokens).revoke(id, { reason: 'leaked' }),
    said: 'It was already revoked by bo (just now).',
  },
  rotated: {
    act: (tokens: Latchkey, id: string) => other(tokens).rotate(id, { overlap: '1h' }),
    said: 'It was already rotated by bo (just now).',
  },
  'rotated without overlap': {
    act: (tokens: Latchkey, id: string) => other(tokens).rotate(id),
    said: 'It was already rotated by bo (just now).',
  },
  deactivated: {
    act: (tokens: Latchkey, id: string) => other(tokens).deactivate(id),
    said: 'It was already deactivated by bo (just now).',
  },
  activated: {
    act: (tokens: Latchkey, id: string) => other(tokens).activate(id),
    said: 'It was already activated by bo (just now).',
  },
} as const
type Change = keyof typeof CHANGES

const GONE = 'It no longer exists, or you no longer have access to it.'

/** Every request about a token is answered as if the token had been pruned. */
const prune = (page: Page, id: string): Promise<unknown> =>
  page.route(new RegExp(`/${id}(/|$)`), (route) =>
    route.fulfill({
      status: 404,
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: 'not_found', detail: 'no token' }),
    }),
  )

const openMenu = (page: Page): Promise<void> => page.getByRole('button', { name: 'Actions for ERP' }).click()
const pick = (page: Page, item: string): Promise<void> => page.getByRole('menuitem', { name: item, exact: true }).click()

async function make({ tokens }: World): Promise<string> {
  return (await tokens.system.create({ name: 'ERP', scopes: ['orders:read'] })).record.id
}

describe.skipIf(skip !== undefined)(`a token that someone else changed first ${skip ?? ''}`, () => {
  const play = stage(path)

  /** Opens a token, lets someone else change it, and then acts on it. */
  const after = (change: Change, act: (page: Page) => Promise<void>, begin?: (world: World, id: string) => Promise<unknown>) => {
    let id = ''
    return play(
      {
        before: async (world) => {
          id = await make(world)
          await begin?.(world, id)
        },
        at: '',
      },
      async ({ page, world }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        await page.getByRole('heading', { name: 'ERP' }).waitFor()
        await page.getByRole('button', { name: 'Revoke', exact: true }).waitFor()
        await CHANGES[change].act(world.tokens, id)
        await act(page)
        await page.getByText(CHANGES[change].said).waitFor()
        await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
        await page.locator('.detail-head .badge:not(.active), .detail-head .badge.active').waitFor()
        if (change !== 'activated') await expect.poll(() => page.locator('.detail-head .badge.active').count()).toBe(0)
        expect(await page.getByText(/^Token (revoked|deactivated|activated)$/).count()).toBe(0)
      },
    )
  }
  const inDialog = (open: string, yes: string) => async (page: Page) => {
    await press(page, open)
    await confirm(page, yes)
  }
  const revoke = inDialog('Revoke', 'Revoke permanently')
  const rotate = inDialog('Rotate', 'Rotate')

  it.each(['revoked', 'rotated without overlap'] as const)('Revoke reports that someone else %s the token', (change) =>
    after(change, revoke),
  )

  it.each(['revoked', 'rotated', 'rotated without overlap', 'deactivated'] as const)(
    'Rotate reports that someone else %s the token, and closes',
    (change) => after(change, rotate),
  )

  it.each(['revoked', 'rotated without overlap', 'deactivated'] as const)('Deactivate reports that someone else %s the token', (change) =>
    after(change, (page) => press(page, 'Deactivate')),
  )

  it.each(['revoked', 'activated'] as const)('Activate reports that someone else %s the token', (change) =>
    after(
      change,
      (page) => press(page, 'Activate'),
      ({ tokens }, id) => other(tokens).deactivate(id),
    ),
  )

  it('Revoke reports that the same person already revoked the token in another tab', () => {
    let id = ''
    return play({ before: async (world) => (id = await make(world)) }, async ({ page, world }) => {
      await openMenu(page)
      await pick(page, 'Revoke')
      await world.tokens.as({ id: 'root', tenants: '*', manages: 'all' }).revoke(id)
      await confirm(page, 'Revoke permanently')
      await page.getByText('It was already revoked by root (just now).').waitFor()
      await page.getByRole('row', { name: /ERP/ }).getByText('Revoked', { exact: true }).waitFor()
    })
  })

  it('Revoke still revokes a token that someone else edited', () => {
    let id = ''
    return play({ before: async (world) => (id = await make(world)) }, async ({ page, world }) => {
      await openMenu(page)
      await pick(page, 'Revoke')
      await other(world.tokens).update(id, { scopes: ['orders:write'] })
      await confirm(page, 'Revoke permanently')
      await page.getByText('Token revoked').waitFor()
      expect((await world.tokens.system.get(id))?.revokedBy).toBe('root')
    })
  })

  it.each([
    ['Revoke', 'Revoke permanently'],
    ['Rotate', 'Rotate'],
    ['Deactivate', undefined],
  ] as const)('%s from the row menu reports that the token no longer exists', (item, yes) => {
    let id = ''
    return play({ before: async (world) => (id = await make(world)) }, async ({ page }) => {
      await openMenu(page)
      await prune(page, id)
      await pick(page, item)
      if (yes !== undefined) await confirm(page, yes)
      await page.getByText(GONE).first().waitFor()
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    })
  })

  it('the page of a removed token reports the removal after an action instead of showing the token', () => {
    let id = ''
    return play({ before: async (world) => (id = await make(world)) }, async ({ page }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await page.getByRole('button', { name: 'Deactivate', exact: true }).waitFor()
      await prune(page, id)
      await press(page, 'Deactivate')
      await page.getByRole('heading', { name: 'Token not found' }).waitFor()
      expect(await page.getByRole('button', { name: 'Deactivate', exact: true }).count()).toBe(0)
    })
  })

  it('a bulk action reports for each token what someone else did to it first', () =>
    play(
      {
        before: async ({ tokens }) => {
          for (const name of ['CI', 'ERP', 'Shop']) await tokens.system.create({ name, tenantId: 'acme', scopes: ['orders:read'] })
        },
      },
      async ({ page, world }) => {
        await page.getByRole('link', { name: 'ERP' }).waitFor()
        const idOf = async (name: string): Promise<string> => (await world.tokens.system.list({ name })).items[0]?.id ?? ''
        await page.getByRole('checkbox', { name: 'Select all on this page' }).check()
        await other(world.tokens).revoke(await idOf('CI'))
        await other(world.tokens).deactivate(await idOf('ERP'))
        await other(world.tokens).update(await idOf('Shop'), { scopes: [] })
        const bar = page.getByRole('region', { name: /selected/ })
        await bar.getByRole('button', { name: 'Deactivate' }).click()
        const dialog = page.getByRole('dialog', { name: '3 tokens could not be changed' })
        const items = (): Promise<string[]> => dialog.getByRole('listitem').allTextContents()
        await expect.poll(async () => (await items()).join(' ')).toContain('It was already revoked by bo (just now).')
        expect((await items()).join(' ')).toContain('It was already deactivated by bo (just now).')
        expect((await items()).join(' ')).toContain('The token was changed in the meantime.')
        await dialog.getByText('No tokens were changed.').waitFor()
        await dialog.getByRole('button', { name: 'Close' }).last().click()
        // The list was reloaded. Otherwise it could already show the next change.
        await page.getByRole('row', { name: /CI/ }).getByText('Revoked', { exact: true }).waitFor()
        await page.getByRole('row', { name: /ERP/ }).getByText('Inactive', { exact: true }).waitFor()
        await other(world.tokens).revoke(await idOf('ERP'))
        await bar.getByRole('button', { name: 'Revoke' }).click()
        await confirm(page, 'Revoke permanently')
        await page.getByRole('dialog', { name: '1 token could not be changed' }).waitFor()
        await page.getByRole('dialog').getByText('1 token was changed.').waitFor()
        await page.getByRole('dialog').getByText('It was already revoked by bo (just now).').waitFor()
      },
    ))

  it('Revoke all reports that someone else already revoked every token', () =>
    play({ before: async ({ tokens }) => tokens.system.create({ name: 'ERP', tenantId: 'acme', scopes: [] }) }, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await press(page, 'Revoke all')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Tenant', { exact: true }).fill('acme')
      await dialog.getByText('1 token will be revoked.').waitFor()
      await dialog.getByLabel('Type “acme” to confirm').fill('acme')
      await world.tokens.system.revokeAll({ tenantId: 'acme' })
      await confirm(page, 'Revoke these tokens')
      await page.getByText('All of these tokens were already revoked.').waitFor()
    }))
})
