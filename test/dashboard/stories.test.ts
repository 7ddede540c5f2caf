import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { PEOPLE } from './support/host.js'
import { seed } from './support/seed.js'
import { chooseEveryTenant, confirm, createByPage, keep, press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

describe.skipIf(skip !== undefined)(`the page ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the page takes a token through its life: created, used, rotated, revoked', () =>
    play({}, async ({ page, world }) => {
      const call = async (token: string): Promise<number> =>
        (await fetch(`${world.origin}/api/stock/7`, { headers: { authorization: `Bearer ${token}` } })).status
      const token = await createByPage(page, 'Warehouse sync')
      expect(await call(token)).toBe(200)
      await expect.poll(() => page.locator('[data-curl]').textContent()).toBe(`curl -H "Authorization: Bearer ${token}" ${world.origin}/`)
      await expect.poll(() => page.locator('[data-env]').textContent()).toBe(`API_TOKEN=${token}`)
      await keep(page)
      await page.getByRole('link', { name: 'Warehouse sync' }).click()
      await press(page, 'Rotate')
      await page.getByRole('dialog').getByText('In 1 hour').click()
      await confirm(page, 'Rotate')
      const successor = (await page.locator('[data-token]:not(:empty)').textContent()) ?? ''
      await expect.poll(() => page.getByText(/The old token keeps working until/).count()).toBe(1)
      await keep(page)
      await page.getByText(/The old token was last used/).waitFor()
      expect([await call(token), await call(successor)]).toEqual([200, 200])
      await press(page, 'Revoke')
      await page
        .getByRole('dialog')
        .getByText(/It was last used .* from (127\.0\.0\.1|::ffff:127\.0\.0\.1)/)
        .waitFor()
      await page.getByRole('dialog').getByLabel('Reason').fill('no longer needed')
      await confirm(page, 'Revoke permanently')
      // The dialog shows this text too, so only the banner proves that the revocation is done.
      await page.getByText(/^Revoked .* This cannot be undone\.$/).waitFor()
      expect(await call(successor)).toBe(401)
      for (const name of ['Edit', 'Deactivate', 'Rotate', 'Revoke'])
        await expect.poll(() => page.getByRole('button', { name, exact: true }).isDisabled()).toBe(true)
      await page.getByText('no longer needed').first().waitFor()
    }))

  it('the page keeps its view in the URL through reloads and Back', () =>
    play({ before: seed }, async ({ page }) => {
      await page.getByRole('searchbox', { name: 'Search by name' }).fill('e')
      await page.getByRole('combobox', { name: 'Status' }).selectOption('active')
      await page.getByRole('combobox', { name: 'Tenant' }).selectOption('acme')
      // The search starts after a pause in typing.
      await expect.poll(() => new URL(page.url()).search).toBe('?q=e&tenant=acme&status=active')
      const names = async (): Promise<string[]> => page.locator('a.token-name').allTextContents()
      await expect.poll(names).toEqual(['Price feed', 'Staging smoke tests', 'ERP nightly sync', 'Warehouse scanner fleet'])
      await page.reload()
      await expect.poll(names).toHaveLength(4)
      await page.getByRole('button', { name: 'Last used' }).click()
      await expect.poll(names).toEqual([expect.any(String), expect.any(String), expect.any(String), 'Staging smoke tests'])
      await page.getByRole('button', { name: 'Token', exact: true }).click()
      await expect.poll(names).toEqual(['ERP nightly sync', 'Price feed', 'Staging smoke tests', 'Warehouse scanner fleet'])
      await page.goBack()
      await expect.poll(() => page.getByRole('columnheader', { name: 'Last used' }).getAttribute('aria-sort')).toBe('descending')
      await press(page, 'Never used')
      await expect.poll(names).toEqual(['Staging smoke tests'])
    }))

  it('the predefined views filter the list', () =>
    play({ before: seed }, async ({ page }) => {
      const names = async (): Promise<string[]> => (await page.locator('a.token-name').allTextContents()).sort()
      for (const [view, expected] of [
        ['Never used', ['Refund bot', 'Staging smoke tests']],
        ['Unused for 90 days', []],
        ['Expires within 30 days', ['Partner reporting']],
        ['Rotation due', ['Warehouse scanner fleet']],
      ] as const) {
        await press(page, view)
        await expect.poll(names, { message: view }).toEqual(expected)
      }
      await press(page, 'No expiry')
      await expect.poll(async () => (await names()).includes('Price feed')).toBe(false)
    }))

  it('a conflicting edit shows both versions and loses neither', () =>
    play({ before: async ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read'] }) }, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Edit')
      await page.getByRole('dialog').getByLabel('Name').fill('ERP of mine')
      const [{ id } = { id: '' }] = (await world.tokens.system.list()).items
      await world.tokens.system.update(id, { name: 'ERP of theirs', description: 'theirs' })
      await confirm(page, 'Save changes')
      const conflict = page.getByRole('dialog', { name: 'Someone else changed this token' })
      await conflict.getByRole('row', { name: 'Name ERP ERP of theirs ERP of mine' }).waitFor()
      await conflict.getByRole('row', { name: 'Description none theirs unchanged' }).waitFor()
      await confirm(page, 'Save changes')
      await page.getByRole('heading', { name: 'ERP of mine' }).waitFor()
      expect(await world.tokens.system.get(id)).toMatchObject({ name: 'ERP of mine', description: 'theirs' })
    }))

  it('the page deactivates and activates a token, and reports a concurrent change', () =>
    play({ before: async ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: [] }) }, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Deactivate')
      await page.getByText('Every call that uses it is refused until it is activated again.').waitFor()
      const lines = await page
        .locator('.banner')
        .evaluate(
          (node) => new Set([...node.querySelectorAll('time, bdi')].map((part) => Math.round(part.getBoundingClientRect().bottom))).size,
        )
      expect(lines, 'a single sentence fits on one line').toBe(1)
      await press(page, 'Activate')
      await expect.poll(async () => (await world.tokens.system.list({ status: 'active' })).items.length).toBe(1)
      await page.getByRole('button', { name: 'Deactivate', exact: true }).waitFor()
      const [{ id } = { id: '' }] = (await world.tokens.system.list()).items
      await world.tokens.system.update(id, { name: 'ERP 2' })
      await press(page, 'Deactivate')
      await page.getByRole('heading', { name: 'ERP 2' }).waitFor()
      expect(await world.tokens.system.get(id)).toMatchObject({ status: 'active' })
    }))

  it('a bulk action applies to every selected token', () =>
    play({ before: seed }, async ({ page, world }) => {
      for (const name of ['Price feed', 'Web shop']) await page.getByRole('checkbox', { name: `Select ${name}` }).check()
      await page.getByRole('region', { name: '2 selected' }).getByRole('button', { name: 'Deactivate' }).click()
      await page.getByText('2 tokens changed').waitFor()
      expect((await world.tokens.system.list({ status: 'inactive' })).items).toHaveLength(3)
      for (const name of ['Price feed', 'Web shop']) await page.getByRole('checkbox', { name: `Select ${name}` }).check()
      await page.getByRole('region', { name: '2 selected' }).getByRole('button', { name: 'Revoke' }).click()
      await confirm(page, 'Revoke permanently')
      await expect.poll(async () => (await world.tokens.system.list({ status: 'revoked' })).items.length).toBe(3)
    }))

  it("Revoke all shows the number of tokens and requires the tenant's name", () =>
    play({ before: seed }, async ({ page, world }) => {
      await press(page, 'Revoke all')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Tenant', { exact: true }).fill('acme')
      await dialog.getByText('5 tokens will be revoked.').waitFor()
      const button = dialog.getByRole('button', { name: 'Revoke these tokens' })
      await expect.poll(() => button.isDisabled()).toBe(true)
      // A failed count must not leave the previous number in place.
      const isCount = (url: URL): boolean => url.pathname === '/admin/tokens/' && url.searchParams.get('limit') === '1000'
      await page.route(isCount, (route) => route.fulfill({ status: 403, body: '{"detail":"Not you"}' }))
      await dialog.getByText('All tokens', { exact: true }).click()
      await dialog.getByText('The tokens could not be counted.').waitFor()
      await dialog.getByText('Not you').waitFor()
      await dialog.getByLabel('Type “revoke everything” to confirm').fill('revoke everything')
      expect(await button.isDisabled()).toBe(true)
      expect(await dialog.getByText(/tokens will be revoked/).count()).toBe(0)
      await page.unroute(isCount)
      await dialog.getByText('One tenant', { exact: true }).click()
      await dialog.getByText('5 tokens will be revoked.').waitFor()
      await dialog.getByLabel('Type “acme” to confirm').fill('acme')
      await button.click()
      await page.getByText('5 tokens revoked').waitFor()
      expect((await world.tokens.system.list({ tenantId: 'acme', status: ['active', 'inactive', 'expired'] })).items).toEqual([])
      expect((await world.tokens.system.list({ tenantId: 'bolt', status: 'active' })).items.length).toBeGreaterThan(0)
    }))

  it('the form disables what the user may not grant and states the expiry policy up front', () =>
    play({ user: 'uma', options: { expiry: { max: '60d' } } }, async ({ page, world }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await expect.poll(() => dialog.getByRole('checkbox', { name: /^inventory:read / }).isEnabled()).toBe(true)
      for (const name of ['orders:read', 'inventory:*', '@support'])
        await expect
          .poll(() => dialog.locator(`label[data-scope="${name}"]`).getByRole('checkbox').isDisabled(), { message: name })
          .toBe(true)
      await dialog.getByText('At most 60 days after creation.').waitFor()
      await expect.poll(() => dialog.getByRole('radio', { name: '90 days', exact: true }).count()).toBe(0)
      await expect.poll(() => dialog.getByRole('radio', { name: 'Never' }).count()).toBe(0)
      await dialog.getByLabel('Name').fill('Mine')
      await dialog.getByRole('button', { name: /Use mine/ }).click()
      await confirm(page, 'Review')
      await confirm(page, 'Create token')
      await page.locator('[data-token]:not(:empty)').waitFor()
      const [record] = (await world.tokens.system.list()).items
      expect(record).toMatchObject({ name: 'Mine', ownerId: PEOPLE.uma?.id, createdBy: PEOPLE.uma?.id, tenantId: 'acme' })
      expect(record?.allowedIps).toHaveLength(1)
    }))

  it("the form shows its own and the server's errors at the field", () =>
    play({}, async ({ page, world }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await confirm(page, 'Review')
      await dialog.getByText('Enter a name.').waitFor()
      await expect.poll(() => dialog.getByLabel('Name').getAttribute('aria-invalid')).toBe('true')
      await dialog.getByLabel('Name').fill('x')
      await chooseEveryTenant(page)
      await dialog.getByLabel('Metadata').fill('{"constructor": 1}')
      await confirm(page, 'Review')
      await confirm(page, 'Create token')
      await expect.poll(() => dialog.getByLabel('Metadata').getAttribute('aria-invalid')).toBe('true')
      await expect.poll(() => dialog.getByLabel('Metadata').evaluate((node) => node === document.activeElement)).toBe(true)
      await dialog.getByLabel('Metadata').fill('{}')
      // IDs without a type would limit nothing, and a second row of the same type would replace the first.
      await confirm(page, 'Add a resource limit')
      const kinds = dialog.getByLabel('Resource type')
      await dialog.getByLabel('IDs, separated by commas').fill('w1, w2')
      await confirm(page, 'Review')
      await dialog.getByText('Enter the resource type of these IDs.').waitFor()
      await expect.poll(() => kinds.evaluate((node) => node === document.activeElement)).toBe(true)
      await kinds.fill('warehouse')
      await confirm(page, 'Add a resource limit')
      await kinds.last().fill('warehouse ')
      await dialog.getByLabel('IDs, separated by commas').last().fill('w3,w1')
      await confirm(page, 'Review')
      await confirm(page, 'Create token')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list()).items[0]?.resources).toEqual({ warehouse: ['w1', 'w2', 'w3'] })
    }))

  it('the search and the create form work by keyboard alone', () =>
    play({ user: 'ada' }, async ({ page, world }) => {
      const nameHasFocus = (): Promise<void> =>
        expect
          .poll(() => page.evaluate(() => document.activeElement?.closest('dialog') !== null && document.activeElement?.matches('input')))
          .toBe(true)
      await page.getByRole('heading', { name: 'No tokens yet' }).waitFor()
      await expect
        .poll(async () => {
          await page.keyboard.press('/')
          return page.evaluate(() => document.activeElement?.getAttribute('type'))
        })
        .toBe('search')
      await page.getByRole('button', { name: 'Create token' }).first().focus()
      await page.keyboard.press('Enter')
      await nameHasFocus()
      await page.keyboard.type('By keyboard')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Review the token' }).waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('alertdialog').waitFor()
      await page.keyboard.press('Shift+Tab')
      await page.keyboard.press('Enter')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
      await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Create token')
      await page.keyboard.press('Enter')
      await nameHasFocus()
      await page.keyboard.type('By keyboard')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Review the token' }).waitFor()
      await page.keyboard.press('Enter')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list()).items).toHaveLength(1)
    }))

  it('a token can be rotated and revoked by keyboard alone', () =>
    play({ before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read'] }) }, async ({ page, world }) => {
      const tabTo = async (name: string): Promise<void> => {
        for (let presses = 0; presses < 60; presses += 1) {
          await page.keyboard.press('Tab')
          if ((await page.evaluate(() => document.activeElement?.textContent)) === name) return
        }
        throw new Error(`Tab never reaches ${name}`)
      }
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await tabTo('ERP')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'ERP' }).waitFor()
      await tabTo('Rotate')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Rotate ERP' }).waitFor()
      await page.keyboard.press('ArrowLeft')
      await expect.poll(() => page.getByRole('radio', { name: 'In 1 hour' }).isChecked()).toBe(true)
      await tabTo('Rotate')
      await page.keyboard.press('Enter')
      await page.locator('[data-token]:not(:empty)').waitFor()
      await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Copy token')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').getByText('Copied').first().waitFor()
      await tabTo('I have saved it')
      await page.keyboard.press('Enter')
      await page.getByText('The token it replaces works until').waitFor()
      await tabTo('Revoke')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Revoke ERP?' }).waitFor()
      await page.keyboard.type('by keyboard')
      await tabTo('Revoke permanently')
      await page.keyboard.press('Space')
      await page.getByText(/^Revoked .* This cannot be undone\.$/).waitFor()
      const { items } = await world.tokens.system.list()
      expect(items.map(({ status, revokedReason }) => [status, revokedReason])).toEqual([
        ['revoked', 'by keyboard'],
        ['active', undefined],
      ])
    }))

  it('the page reports an unavailable store and recovers automatically', () =>
    play({ before: seed }, async ({ page, world }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      world.store.behave({ list: { do: 'fail', error: new Error('down') } })
      await press(page, 'No expiry')
      await page.getByRole('heading', { name: 'The token store cannot be reached' }).waitFor()
      world.store.behave()
      await page
        .getByRole('link', { name: 'Web shop' })
        .or(page.getByRole('link', { name: 'Data warehouse export' }))
        .first()
        .waitFor()
    }))

  it('the page tells signed-out users to sign in and links to the sign-in page', () =>
    play(
      { user: 'nobody', dashboard: { signIn: '/login', title: 'Acme', texts: { 'state.signedOut.title': 'Bitte anmelden' } } },
      async ({ page }) => {
        await page.getByRole('heading', { name: 'Bitte anmelden' }).waitFor()
        await expect.poll(() => page.getByRole('link', { name: 'Sign in' }).getAttribute('href')).toBe('/login')
        await expect.poll(() => page.locator('.brand').textContent()).toBe('Acme')
      },
    ))
})
