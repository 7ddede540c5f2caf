import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import express from 'express'
import * as onExpress from 'latchkey/express'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { expressWith, PEOPLE, type World } from './support/host.js'
import { seed } from './support/seed.js'
import { chooseEveryTenant, confirm, createByPage, keep, press, stage, type Wanted } from './support/stage.js'

const { path = '', skip } = findChromium()

const TENANTS = [
  { id: 'acme', name: 'Acme Corporation' },
  { id: 'bolt', name: 'Bolt Ltd' },
  { id: 'corvid', name: 'Corvid' },
]
const OWNERS = [
  { id: 'erp', name: 'Erika Pohl' },
  { id: 'logistics', name: 'Lou Gistic' },
]

/** A host that provides names for its tenants and people. */
const naming: NonNullable<Wanted['start']> = async (tokens, page, _seen, mount) => {
  const app = express()
  const actor = (req: express.Request) => PEOPLE[/user=(\w+)/.exec(req.headers.cookie ?? '')?.[1] ?? '']
  app.use(mount, onExpress.management(tokens, { actor, dashboard: page, tenants: () => TENANTS, owners: () => OWNERS }))
  return createServer(app).listen(0)
}

describe.skipIf(skip !== undefined)(`a host that customizes the page ${skip ?? ''}`, () => {
  const play = stage(path)

  it('people appear by name in the audit log and in the explanation, and screen readers announce the names', () => {
    let id = ''
    const before = async ({ tokens }: World): Promise<void> => {
      const lou = tokens.as({ id: 'logistics', tenants: '*', manages: 'all' })
      id = (await lou.create({ name: 'ERP', tenantId: 'acme', ownerId: 'erp', scopes: ['orders:read'] })).record.id
    }
    return play({ before, start: naming, options: { owner: async () => null } }, async ({ page, world }) => {
      await page.goto(`${world.url}?screen=audit`)
      await page.locator('.audit-line').getByText('Lou Gistic').waitFor()
      await page.goto(`${world.url}?token=${id}`)
      await page.locator('.explain summary').click()
      await page.locator('.explained .banner').getByText('Its owner Erika Pohl no longer has access.').waitFor()
      await expect.poll(() => page.locator('[data-announcer]').textContent()).toContain('Its owner Erika Pohl no longer has access.')
    })
  })

  it("the page links people, tenants and the application, and uses the host's word for tenants", () =>
    play(
      {
        before: seed,
        start: naming,
        dashboard: {
          userUrl: '/people/{id}',
          clientUrl: 'https://crm.example.com/c/{id}',
          clientName: { one: 'Company', many: 'Companies' },
          back: { url: '/app', text: 'Back to Acme' },
        },
      },
      async ({ page }) => {
        await expect.poll(() => page.getByRole('link', { name: 'Back to Acme' }).getAttribute('href')).toBe('/app')
        const row = page.getByRole('row', { name: /ERP nightly sync/ })
        await expect
          .poll(() => row.getByRole('link', { name: 'Acme Corporation' }).getAttribute('href'))
          .toBe('https://crm.example.com/c/acme')
        await expect.poll(() => row.getByRole('link', { name: 'Erika Pohl' }).getAttribute('href')).toBe('/people/erp')
        expect(await row.getByRole('link', { name: 'ada@acme.example' }).getAttribute('href')).toBe('/people/ada%40acme.example')
        await page.getByRole('columnheader', { name: 'Company' }).waitFor()
        // The select replaces a text field once the names have loaded.
        await page
          .locator('select')
          .and(page.getByRole('combobox', { name: 'Company' }))
          .selectOption('bolt')
        await expect.poll(() => page.locator('a.token-name').count()).toBe(4)
        expect(await page.getByText('Tenant', { exact: true }).count()).toBe(0)
      },
    ))

  it('an ID that a browser would resolve to a different path of the host has no link', () => {
    const ids = ['.', '..', '...', '%2e%2e', '.%2E', '../x', '..\\x', '\uff0e\uff0e']
    const before = async ({ tokens }: World): Promise<void> => {
      for (const id of ids) await tokens.system.create({ name: `of ${id}`, tenantId: id, ownerId: id, scopes: [] })
    }
    const dashboard = { userUrl: '/people/{id}/profile', clientUrl: 'https://crm.example.com/c/{id}' }
    return play({ before, dashboard }, async ({ page, world }) => {
      await expect.poll(() => page.locator('a.token-name').count()).toBe(ids.length)
      const links = await page.locator('a.host-link').evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href))
      const linked = ids.slice(2).map((id) => encodeURIComponent(id))
      const { origin } = new URL(world.url)
      const expected = [...linked, 'system'].flatMap((id) => [`https://crm.example.com/c/${id}`, `${origin}/people/${id}/profile`])
      // No tenant is named like the creator of these tokens.
      expect([...new Set(links)].sort()).toEqual(expected.filter((url) => !url.endsWith('/c/system')).sort())
    })
  })

  it('the summary and the review of a new token show the names of its tenant and owner', () =>
    play({ before: seed, start: naming }, async ({ page }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name').fill('ERP')
      await dialog.getByRole('radio', { name: 'One tenant' }).check()
      await dialog.getByRole('combobox', { name: 'Tenant' }).selectOption('acme')
      await dialog.getByRole('combobox', { name: 'Owner' }).fill('erp')
      await dialog.getByRole('checkbox', { name: /^orders:read / }).check()
      for (const shown of ['Acme Corporation (acme)', 'Erika Pohl (erp)'])
        await dialog.getByRole('definition').filter({ hasText: shown }).waitFor()
      await confirm(page, 'Review')
      for (const shown of ['Acme Corporation (acme)', 'Erika Pohl (erp)'])
        await dialog.getByRole('definition').filter({ hasText: shown }).waitFor()
    }))

  it('configured metadata keys become form fields and columns', () =>
    play({ before: seed, dashboard: { metadata: [{ key: 'team', label: 'Team' }] } }, async ({ page, world }) => {
      await press(page, 'Columns')
      await page.getByRole('checkbox', { name: 'Team' }).check()
      await page.keyboard.press('Escape')
      await page
        .getByRole('row', { name: /Warehouse scanner fleet/ })
        .getByRole('cell', { name: 'logistics', exact: true })
        .waitFor()
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name').fill('With a team')
      await chooseEveryTenant(page)
      await dialog.getByLabel('Team').fill('<b>blue</b>')
      await expect.poll(() => dialog.getByLabel('Metadata').inputValue()).toBe('{\n  "team": "<b>blue</b>"\n}')
      await confirm(page, 'Review')
      await confirm(page, 'Create token')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list({ limit: 1 })).items[0]?.metadata).toEqual({ team: '<b>blue</b>' })
    }))

  it('the page remembers the columns that the user chose', () =>
    play({ before: seed }, async ({ page }) => {
      await press(page, 'Columns')
      for (const name of ['Revoked at', 'Revoked by', 'Created (date and time)', 'Owner'])
        await page.getByRole('checkbox', { name, exact: true }).check()
      for (const name of ['Scopes', 'Calls, 14 days', 'Created']) await page.getByRole('checkbox', { name, exact: true }).uncheck()
      await page.keyboard.press('Escape')
      const heads = (): Promise<string[]> => page.getByRole('columnheader').allTextContents()
      const expected = [
        '',
        'Token',
        'Tenant',
        'Owner',
        'Status',
        'Last used',
        'Expires',
        'Created (date and time)',
        'Revoked at',
        'Revoked by',
        'Actions',
      ]
      await expect.poll(heads).toEqual(expected)
      await page
        .getByRole('row', { name: /Price feed/ })
        .locator('.col-revokedAt', { hasText: 'Never' })
        .waitFor()
      await page
        .getByRole('row', { name: /Contractor laptop/ })
        .locator('.col-revokedBy', { hasText: 'ada@acme.example' })
        .waitFor()
      await page.reload()
      await expect.poll(heads).toEqual(expected)
    }))
})

describe.skipIf(skip !== undefined)(`the tenant and owner of a token ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the form requires an explicit choice of tenant, so an empty field never means all tenants', () =>
    play({ start: naming }, async ({ page, world }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name').fill('ERP')
      await confirm(page, 'Review')
      await dialog.getByText('Choose a tenant.').waitFor()
      await dialog.getByText('All tenants', { exact: true }).click()
      await dialog.getByText('This token will work for every tenant, including those added later.').waitFor()
      await dialog.getByText('One tenant', { exact: true }).click()
      await dialog.getByLabel('Tenant', { exact: true }).selectOption({ label: 'Bolt Ltd (bolt)' })
      await confirm(page, 'Review')
      await confirm(page, 'Create token')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list()).items[0]?.tenantId).toBe('bolt')
    }))

  it("a token can inherit its owner's permissions and then requires only a name", () =>
    play({ user: 'uma', options: { owner: async () => ({ scopes: ['inventory:read'] }) } }, async ({ page, world }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name').fill('Mine')
      await dialog.getByText('Same as its owner', { exact: true }).click()
      await confirm(page, 'Review')
      await confirm(page, 'Create token')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list()).items[0]).toMatchObject({
        name: 'Mine',
        inherit: true,
        scopes: [],
        ownerId: PEOPLE.uma?.id,
      })
      await keep(page)
      await expect.poll(() => page.locator('td.col-scopes').allTextContents()).toEqual(['Same as its owner'])
      await page.getByRole('link', { name: 'Mine' }).click()
      await page.locator('.facts').getByText('Same as its owner').waitFor()
    }))

  it('Revoke all revokes every token of an owner in one step', () =>
    play({ before: seed }, async ({ page, world }) => {
      await press(page, 'Revoke all')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('One owner', { exact: true }).click()
      await dialog.getByLabel('Owner', { exact: true }).fill('erp')
      await dialog.getByText('1 token will be revoked.').waitFor()
      await dialog.getByLabel('Type “erp” to confirm').fill('erp')
      await confirm(page, 'Revoke these tokens')
      await page.getByText('1 token revoked').waitFor()
      expect((await world.tokens.system.list({ ownerId: 'erp' })).items[0]?.status).toBe('revoked')
    }))
})

describe.skipIf(skip !== undefined)(`a new token in use ${skip ?? ''}`, () => {
  const play = stage(path)

  it("the host's example request is shown with the new token in several languages, and can be saved as .env", () =>
    play(
      {
        dashboard: {
          exampleUrl: 'https://api.example.com/orders?limit=1',
          exampleMethod: 'POST',
          exampleBody: { note: `it's "new"` },
          envName: 'ACME_TOKEN',
        },
      },
      async ({ page }) => {
        const token = await createByPage(page, 'ERP')
        const shown = (): Promise<string | null> => page.locator('.snippet code').first().textContent()
        await expect
          .poll(shown)
          .toBe(
            `curl -X POST -H "Authorization: Bearer ${token}" -H "Content-Type: application/json" -d '{"note":"it'\\''s \\"new\\""}' 'https://api.example.com/orders?limit=1'`,
          )
        for (const [name, part] of [
          ['fetch', `headers: { Authorization: 'Bearer ${token}', 'Content-Type': 'application/json' }`],
          ['Python', `requests.request("POST", "https://api.example.com/orders?limit=1",`],
          ['axios', `data: {"note":"it's \\"new\\""},`],
          ['Go', `req.Header.Set("Authorization", "Bearer ${token}")`],
        ] as const) {
          await press(page, name)
          await expect.poll(shown).toContain(part)
        }
        const saved = page.waitForEvent('download')
        await press(page, 'Download as .env')
        // Browsers remove a leading dot, so a file that should be `.env` would become `env.txt`.
        expect((await saved).suggestedFilename()).toBe('token.env')
        expect(await readFile(await (await saved).path(), 'utf8')).toBe(`ACME_TOKEN=${token}\n`)
        // The token was saved to a file, so closing the dialog does not ask for confirmation.
        await confirm(page, 'I have saved it')
        await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
        expect(await page.content()).not.toContain(token.slice(-40))
      },
    ))

  it.each([
    [{ header: 'X-API-Key' }, (token: string) => `curl -H "X-API-Key: ${token}"`, (token: string) => `{ "X-API-Key": '${token}' }`],
    ['basic', (token: string) => `-H "Authorization: Basic ${btoa(`${token}:`)}"`, (token: string) => `Basic ${btoa(`${token}:`)}`],
  ] as const)('the example sends the token in the credential that the host configured: %j', (credential, curl, axios) =>
    play({ start: expressWith({ credential }) }, async ({ page }) => {
      const token = await createByPage(page, 'ERP')
      const shown = (): Promise<string | null> => page.locator('.snippet code').first().textContent()
      await expect.poll(shown).toContain(curl(token))
      await press(page, 'axios')
      await expect.poll(shown).toContain(axios(token))
      expect(await shown()).not.toContain('Bearer')
      await confirm(page, 'Copy token')
      await confirm(page, 'I have saved it')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    }),
  )
})
