import { djangoTokens, ownTokens, sanctumTokens, sha256Tokens } from 'latchkey/import'
import type { Locator } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { expressWith } from './support/host.js'
import { confirm, createByPage, press, type Scene, stage, type Wanted } from './support/stage.js'

const { path = '', skip } = findChromium()

const imports = {
  key: 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P',
  formats: [sanctumTokens(), djangoTokens(), sha256Tokens({ prefix: 'sk_', length: 35 })],
}
const UUID = '4b1f6f0e-7a1c-4d5e-9f60-2c3d4e5f6a7b'
const SECRETS = {
  sanctum: '17|Zq8LmN2pR4sT6vW8xY0zA1bC3dE5fG7hJ9kL0mN2',
  django: '9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b',
  sk: 'sk_0123456789abcdef0123456789abcdef',
  jwt: 'eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiI0a1EwdFhiMkxyVm44WmNEIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg',
} as const

/** Collects everything that a page leaves behind: its history, its requests, what reached the server, and what it shows. */
async function traces({ page, watched, world }: Scene): Promise<string> {
  const { entries } = await (await page.context().newCDPSession(page)).send('Page.getNavigationHistory')
  const fields = await page.locator('input, textarea').evaluateAll((all) => all.map((field) => (field as HTMLInputElement).value))
  return JSON.stringify([entries, watched.requests, world.seen, fields, await page.content()])
}

/** Returns the first six characters in a row of a token's secret that a string contains. */
function secretIn(token: string, text: string): string {
  const secret = token.slice(-49)
  return Array.from({ length: 44 }, (_, at) => secret.slice(at, at + 6)).find((part) => text.includes(part)) ?? ''
}

describe.skipIf(skip !== undefined)(`a pasted secret ${skip ?? ''}`, () => {
  const play = stage(path)
  const old: Wanted = {
    options: { imports },
    // Without tenant names, tenant IDs can be typed.
    start: expressWith({
      tenants: () => {
        throw new Error('down')
      },
    }),
    before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: [] }),
  }

  it.each(Object.entries(SECRETS))(
    'a secret of another system is removed from the field where it was pasted and sent nowhere: %s',
    (_, secret) =>
      play(old, async (scene) => {
        const { page } = scene
        const pasteInto = async (field: Locator): Promise<void> => {
          await field.fill(`x ${secret}`)
          await page.getByText('A secret was removed from what you typed.').first().waitFor()
          await expect.poll(() => field.inputValue()).toBe('x ')
        }
        await pasteInto(page.getByRole('searchbox', { name: 'Search by name, ID or prefix' }))
        await page.waitForURL(/=x/)
        await page.getByRole('button', { name: 'Tenant: All tenants' }).click()
        await pasteInto(page.getByRole('searchbox', { name: 'Search by name or ID' }))
        await page.getByRole('button', { name: 'Use “x”' }).waitFor()
        await page.goto(`${scene.world.url}?screen=audit`)
        await page.getByRole('combobox', { name: 'Actor' }).fill(secret)
        await page.getByRole('combobox', { name: 'Token ID' }).fill(secret)
        await expect.poll(() => page.getByRole('combobox', { name: 'Token ID' }).inputValue()).toBe('')
        expect(await traces(scene)).not.toContain(secret.slice(-20))
      }),
  )

  it('the search leaves names that are not secrets unchanged', () =>
    play(old, async ({ page }) => {
      for (const text of [
        'Donaudampfschifffahrtsgesellschaftskapitaenspatent',
        'the-key-of-the-nightly-job',
        'auth0|507f1f77bcf8',
        '42',
        'sk_test',
        'CustomerContract_eu',
        'Auth0Integration_x',
      ]) {
        await page.getByRole('searchbox', { name: 'Search by name' }).fill(text)
        await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe(text)
      }
    }))

  it("a secret in the page's URL is removed from the URL and the history", () =>
    play({ ...old, at: `?q=${SECRETS.sk}&tenant=${encodeURIComponent(SECRETS.sanctum)}` }, async (scene) => {
      const { page } = scene
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await expect.poll(() => page.url()).not.toContain(SECRETS.sk.slice(-20))
      expect(page.url()).not.toContain('Zq8LmN2p')
      const { requests } = scene.watched
      expect(requests.filter((url) => url.includes(SECRETS.sk.slice(-20)))).toHaveLength(1)
    }))

  it('a secret of a format without a pattern is recognized by its length', () =>
    play(
      { ...old, options: { imports: { ...imports, formats: [ownTokens({ name: 'own', key: () => undefined, verify: () => false })] } } },
      async (scene) => {
        const field = scene.page.getByRole('searchbox', { name: 'Search by name' })
        await field.fill('k_1a2b3c4d_0123456789abcdef01')
        await expect.poll(() => field.inputValue()).toBe('')
        expect(await traces(scene)).not.toContain('0123456789abcdef01')
      },
    ))

  it('a format without a pattern leaves addresses, suggested IDs and existing values unchanged', () =>
    play(
      {
        options: { imports: { ...imports, formats: [ownTokens({ name: 'own', key: () => undefined, verify: () => false })] } },
        start: expressWith({ owners: () => [{ id: UUID, name: 'Ann' }] }),
        before: ({ tokens }) => tokens.system.create({ name: 'ERP', tenantId: 'acme', scopes: [], resources: { warehouse: [UUID] } }),
      },
      async ({ page }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        await press(page, 'Edit')
        const dialog = page.getByRole('dialog')
        const typed = async (label: string, text: string, left = text): Promise<void> => {
          await dialog.getByLabel(label).fill(text)
          await expect.poll(() => dialog.getByLabel(label).inputValue()).toBe(left)
        }
        await typed('Allowed addresses', '2001:0db8:85a3:0000:0000:8a2e:0370:7334')
        await typed('IDs, separated by commas', `${UUID}, ham-1`)
        await typed('IDs, separated by commas', `${UUID}, ${UUID.replace('4', '5')}`, `${UUID}, `)
        await page.keyboard.press('Escape')
        await confirm(page, 'Discard')
        await page.getByRole('link', { name: 'All tokens' }).click()
        await press(page, 'Revoke all')
        await dialog.getByText('One owner', { exact: true }).click()
        const owner = dialog.getByRole('combobox', { name: 'Owner' })
        await owner.fill(UUID)
        await expect.poll(() => owner.inputValue()).toBe(UUID)
      },
    ))

  it('a secret pasted into Revoke all is removed before any request', () =>
    play({ ...old, user: 'root' }, async (scene) => {
      const { page } = scene
      const token = await createByPage(page, 'CI')
      await confirm(page, 'Copy token')
      await confirm(page, 'I have saved it')
      await press(page, 'Revoke all')
      const dialog = page.getByRole('dialog')
      for (const [which, label] of [
        ['One tenant', 'Tenant'],
        ['One owner', 'Owner'],
      ] as const) {
        await dialog.getByText(which, { exact: true }).click()
        for (const secret of [token, SECRETS.sk, SECRETS.sanctum]) {
          await dialog.getByLabel(label, { exact: true }).fill(secret)
          await expect.poll(() => dialog.getByLabel(label, { exact: true }).inputValue()).not.toContain(secret.slice(-20))
          // In the dialog, because everything below it is hidden and inert.
          await dialog.getByText('A secret was removed from what you typed.').waitFor()
        }
      }
      const left = await traces(scene)
      for (const secret of [token, SECRETS.sk, SECRETS.sanctum]) expect(left).not.toContain(secret.slice(-20))
    }))

  it('a token typed key by key or pasted in pieces leaves only its ID in the search, the URL and requests', () =>
    play(old, async (scene) => {
      const { page } = scene
      const { token, record } = await scene.world.tokens.system.create({ name: 'CI', scopes: [] })
      const field = page.getByRole('searchbox', { name: 'Search by name, ID or prefix' })
      const at = token.indexOf(record.id)
      const cuts = [
        [...token],
        [token.slice(0, at + 17), token.slice(at + 17)],
        [token.slice(0, -30), token.slice(-30)],
        [token.slice(0, at + 20), ...token.slice(at + 20)],
      ]
      for (const pieces of cuts) {
        await field.fill('')
        await field.focus()
        for (const piece of pieces) {
          await page.keyboard.insertText(piece)
          if (pieces.length === 2) await expect.poll(() => new URL(page.url()).searchParams.get('q')).not.toBe(null)
        }
        await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe(record.id)
        expect(await field.inputValue()).toBe(record.id)
      }
      await page.keyboard.type(' and more')
      expect(await field.inputValue()).toBe(`${record.id} and more`)
      await field.fill(`${record.id}${token.slice(-40)}`)
      expect(await field.inputValue()).toBe(record.id)
      expect(secretIn(token, await traces(scene))).toBe('')
    }))

  it('a token that is typed key by key leaves only its ID in filters and in the form, and keeps the text around it', () =>
    play({ ...old, user: 'root' }, async (scene) => {
      const { page } = scene
      const { token, record } = await scene.world.tokens.system.create({ name: 'CI', scopes: [] })
      const type = async (field: Locator): Promise<void> => {
        await field.fill('old ; new')
        await field.evaluate((input) => (input as HTMLInputElement).setSelectionRange(4, 4))
        await field.pressSequentially(token)
        await expect.poll(() => field.inputValue()).toBe(`old ${record.id}; new`)
      }
      await page.goto(`${scene.world.url}?screen=audit`)
      await type(page.getByRole('combobox', { name: 'Actor' }))
      await page.goto(`${scene.world.url}?screen=create`)
      const dialog = page.getByRole('dialog')
      for (const label of ['Name', 'Description', 'Owner', 'Allowed addresses', 'Metadata']) await type(dialog.getByLabel(label).first())
      await press(page, 'Add a resource limit')
      for (const label of ['Resource type', 'IDs, separated by commas']) await type(dialog.getByLabel(label))
      await page.keyboard.press('Escape')
      await confirm(page, 'Discard')
      await press(page, 'Revoke all')
      await type(dialog.getByLabel('Reason'))
      expect(secretIn(token, await traces(scene))).toBe('')
    }))

  it('a signed token that is typed key by key is removed entirely, and what is typed afterward stays', () =>
    play(old, async (scene) => {
      const field = scene.page.getByRole('searchbox', { name: 'Search by name, ID or prefix' })
      await field.pressSequentially(SECRETS.jwt)
      await expect.poll(() => field.inputValue()).toBe('')
      await scene.page.waitForTimeout(1100)
      await field.pressSequentially('nightly')
      expect(await field.inputValue()).toBe('nightly')
      expect(await traces(scene)).not.toContain(SECRETS.jwt.slice(-10))
    }))

  it('a token without its prefix that is typed slowly is recognized at the first character of its secret', () =>
    play(old, async (scene) => {
      const { page } = scene
      const id = '4kQ0tXb2LrVn8ZcD'
      const field = page.getByRole('searchbox', { name: 'Search by name, ID or prefix' })
      await field.fill(`${id}_`)
      await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe(`${id}_`)
      for (const character of '9fKw') {
        await page.keyboard.type(character)
        await page.waitForTimeout(400)
      }
      await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe(id)
      expect(await field.inputValue()).toBe(id)
      expect(await traces(scene)).not.toContain(`${id}_9`)
    }))

  it('the secret of a token without its ID is removed entirely', () =>
    play(old, async (scene) => {
      const field = scene.page.getByRole('searchbox', { name: 'Search by name, ID or prefix' })
      const secret = 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0PqQz0aB1cD2eF3gH4i'
      await field.fill(secret)
      await expect.poll(() => field.inputValue()).toBe('')
      expect(await traces(scene)).not.toContain(secret.slice(0, 6))
    }))

  it('a signed token that is pasted in two pieces is removed entirely, however long the second piece takes', () =>
    play(old, async (scene) => {
      const { page } = scene
      const field = page.getByRole('searchbox', { name: 'Search by name, ID or prefix' })
      const signatureAt = SECRETS.jwt.lastIndexOf('.') + 1
      for (const at of [signatureAt - 20, signatureAt, signatureAt + 5]) {
        await field.fill('')
        await page.keyboard.insertText(SECRETS.jwt.slice(0, at))
        await expect.poll(() => field.inputValue()).toBe('')
        await page.waitForTimeout(1100)
        await page.keyboard.insertText(SECRETS.jwt.slice(at))
        await page.waitForTimeout(400)
        expect(await field.inputValue()).toBe('')
        expect(await traces(scene)).not.toContain(SECRETS.jwt.slice(-10))
      }
      await page.keyboard.insertText('nightly')
      await page.waitForTimeout(400)
      expect(await traces(scene)).not.toContain(SECRETS.jwt.slice(-10))
    }))

  it('a secret pasted into the form is removed or rejected by the server', () =>
    play(old, async (scene) => {
      const { page } = scene
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      for (const label of ['Name', 'Description', 'Owner', 'Allowed addresses', 'Metadata']) {
        await dialog.getByLabel(label, { exact: false }).first().fill(SECRETS.sk)
        await expect.poll(() => dialog.getByLabel(label, { exact: false }).first().inputValue()).toBe('')
      }
      await press(page, 'Add a resource limit')
      for (const label of ['Resource type', 'IDs, separated by commas']) {
        await dialog.getByLabel(label).fill(SECRETS.sanctum)
        await expect.poll(() => dialog.getByLabel(label).inputValue()).toBe('')
      }
      const { token, record } = await scene.world.tokens.system.create({ name: 'CI', scopes: [] })
      await dialog.getByLabel('Metadata').fill(`{"key": "${token}"}`)
      await expect.poll(() => dialog.getByLabel('Metadata').inputValue()).toBe(`{"key": "${record.id}"}`)
      const left = await traces(scene)
      for (const secret of [token, SECRETS.sk, SECRETS.sanctum]) expect(left).not.toContain(secret.slice(-20))
    }))
})
