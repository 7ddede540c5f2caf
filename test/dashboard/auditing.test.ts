import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { csvOf } from '../../src/dashboard/page/audit/csv.js'
import { findChromium } from './support/browser.js'
import { expressWith, type World } from './support/host.js'
import { seed } from './support/seed.js'
import { press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

const lines = (page: Page): Promise<string[]> => page.locator('.audit-line').allTextContents()

const NO_NAMES = { token: new Map(), tenant: new Map(), person: new Map() }

describe('events as CSV', () => {
  const event = { id: '1', at: '2030-01-01T00:00:00.000Z', action: 'token.created', actorId: 'ann' }

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', ' =1', '\u200b=1', '＝1', '|cmd', '%0A'])(
    'the CSV export neutralizes the formula %j',
    (reason) => {
      expect(
        csvOf([{ ...event, reason }], NO_NAMES)
          .split('\r\n')
          .slice(1)
          .join('\r\n'),
      ).toContain(`"'${reason}"`)
    },
  )

  it.each([
    ['n;=HYPERLINK(A1);z', "n;'=HYPERLINK(A1);z"],
    ['x; \u200b+1;-1', "x; \u200b'+1;'-1"],
    ['x;"@SUM(A1)', 'x;""\'@SUM(A1)'],
    ['=1;=2', "'=1;'=2"],
    ['a; b = c; d', 'a; b = c; d'],
    ['\t=1', "'\t'=1"],
    ['\r=1', "'\r'=1"],
    ['Bob\n=HYPERLINK(A1)', "Bob\n'=HYPERLINK(A1)"],
    ['Bob\r\n+1\r@SUM(A1)', "Bob\r\n'+1\r'@SUM(A1)"],
    ['a\t=1; \n"-1', 'a\t\'=1; \n""\'-1'],
    ['Bob\n \u200b\uff1d1', "Bob\n \u200b'\uff1d1"],
  ])('the CSV export prevents a formula in %j, where semicolons, tabs or line breaks begin a new cell', (reason, shown) => {
    expect(csvOf([{ ...event, reason }], NO_NAMES)).toContain(`"${shown}"`)
  })

  it('the CSV export leaves other text unchanged and escapes quotes, commas and newlines', () => {
    const text = csvOf([{ ...event, reason: 'a "b", c\nd', before: { name: '=x' }, after: { name: 'y' } }], NO_NAMES)
    expect(text.endsWith('"","a ""b"", c\nd","","","{""name"":""=x""}","{""name"":""y""}"\r\n')).toBe(true)
    expect(text.startsWith('"at","action","actorId","actorName","tokenId","tokenName"')).toBe(true)
  })

  it('the CSV export names tokens, tenants and people next to their IDs and neutralizes formulas in names', () => {
    const known = { ...event, tokenId: '4kQ0tXb2LrVn8ZcD', tenantId: 'acme' }
    const names = { token: new Map([['4kQ0tXb2LrVn8ZcD', '=ERP']]), tenant: new Map([['acme', 'Acme Inc.']]), person: new Map() }
    expect(csvOf([known], names).split('\r\n')[1]).toMatch(/"ann","","4kQ0tXb2LrVn8ZcD","'=ERP","acme","Acme Inc."/)
  })
})

describe.skipIf(skip !== undefined)(`the audit log ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the audit log shows the events of all tokens, filtered by actor, action, token and time', () => {
    let ids: ReadonlyMap<string, string> = new Map()
    return play({ before: async (world) => (ids = await seed(world)) }, async ({ page, world }) => {
      await page.getByRole('link', { name: 'Audit log' }).click()
      await page.getByRole('heading', { name: 'Audit log' }).waitFor()
      await expect.poll(async () => (await lines(page)).length).toBeGreaterThan(14)
      await page.getByRole('combobox', { name: 'Actor' }).fill('bo@bolt.example')
      await expect.poll(async () => new Set((await lines(page)).map((line) => line.split(' ')[0]))).toEqual(new Set(['bo@bolt.example']))
      const offered = await page.getByRole('combobox', { name: 'Action' }).getByRole('option').allTextContents()
      expect(offered).toContain('Token rotated')
      expect(offered.filter((text) => text.includes('.'))).toEqual([])
      await page.getByRole('combobox', { name: 'Action' }).selectOption('token.rotated')
      await expect.poll(() => lines(page)).toEqual(['bo@bolt.example rotated Refund bot'])
      await page.getByRole('combobox', { name: 'Actor' }).fill('')
      await page.getByRole('combobox', { name: 'Action' }).selectOption('token.revoked')
      await expect.poll(() => lines(page)).toEqual(['ada@acme.example revoked Contractor laptop'])
      await page.getByRole('combobox', { name: 'Action' }).selectOption('')
      await page.getByRole('combobox', { name: 'Token ID' }).fill(ids.get('Support desk') ?? '')
      await expect.poll(() => lines(page)).toEqual(['ada@acme.example deactivated Support desk', 'ada@acme.example created Support desk'])
      const day = new Date(Date.now() - 10 * 86_400_000).toISOString().slice(0, 10)
      await page.getByLabel('From', { exact: true }).fill(day)
      await expect.poll(() => lines(page)).toEqual(['ada@acme.example deactivated Support desk'])
      await page.getByLabel('To', { exact: true }).fill(day)
      await page.locator('.audit-log').getByText('No events match these filters.').waitFor()
      await page.goto(`${world.url}?screen=audit&about=${ids.get('Support desk')}`)
      await page.getByRole('link', { name: 'Support desk' }).first().click()
      await page.getByRole('heading', { name: 'Support desk' }).waitFor()
      await page.goBack()
      await page.getByRole('heading', { name: 'Audit log' }).waitFor()
      await page.getByRole('link', { name: 'All tokens' }).click()
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
    })
  })

  it('the audit log filters suggest known actors and tokens by name', () => {
    let ids: ReadonlyMap<string, string> = new Map()
    const owners = (): { id: string; name: string }[] => [{ id: 'bo@bolt.example', name: 'Bo Tanaka' }]
    return play(
      { before: async (world) => (ids = await seed(world)), start: expressWith({ owners }), at: '?screen=audit&action=token.revoked' },
      async ({ page }) => {
        const offered = (field: string): Promise<Record<string, string>> =>
          page.getByRole('combobox', { name: field }).evaluate((input) => {
            const options = [...((input as HTMLInputElement).list?.options ?? [])]
            return Object.fromEntries(options.map(({ value, label }) => [value, label]))
          })
        await expect.poll(() => offered('Actor')).toMatchObject({ 'ada@acme.example': 'ada@acme.example' })
        // The suggestions include actors that the filters exclude.
        await expect.poll(() => offered('Actor')).toMatchObject({ 'bo@bolt.example': 'Bo Tanaka (bo@bolt.example)' })
        const id = ids.get('Price feed') ?? ''
        await expect.poll(() => offered('Token ID')).toMatchObject({ [id]: `Price feed (${id})` })
      },
    )
  })

  it('the audit log describes a bulk revocation as one event with the number of tokens', () => {
    const several = async ({ tokens }: World): Promise<void> => {
      for (const name of ['One', 'Two', 'Three']) await tokens.system.create({ name, tenantId: 'acme', scopes: [] })
      await tokens.system.revokeAll({ tenantId: 'acme' })
    }
    return play({ before: several }, async ({ page }) => {
      await page.getByRole('link', { name: 'Audit log' }).click()
      await page.getByText('revoked 3 tokens at once', { exact: false }).waitFor()
      expect(await page.getByText('times').count()).toBe(0)
    })
  })

  it('the audit log loads older events on demand and exports all of them', () => {
    const many = async ({ tokens }: World): Promise<void> => {
      const { record } = await tokens.system.create({ name: 'ERP', scopes: [] })
      for (let round = 0; round < 60; round += 1) await tokens.system.update(record.id, { name: `ERP ${round}` })
      await tokens.as({ id: '=HYPERLINK("https://elsewhere.test")', tenants: '*', manages: 'all' }).revoke(record.id, { reason: '=1+1' })
    }
    return play({ before: many, at: '?screen=audit' }, async ({ page }) => {
      await expect.poll(async () => (await lines(page)).length).toBe(50)
      await press(page, 'Show older')
      await expect.poll(async () => (await lines(page)).length).toBe(62)
      await page.getByRole('combobox', { name: 'Action' }).selectOption('token.revoked')
      await expect.poll(() => page.locator('[data-announcer]').textContent()).toBe('1 event shown')
      await page.getByRole('combobox', { name: 'Action' }).selectOption('')
      await expect.poll(() => page.locator('[data-announcer]').textContent()).toBe('50 events shown')
      await expect.poll(async () => (await lines(page)).length).toBe(50)
      const saved = page.waitForEvent('download')
      await press(page, 'Export CSV')
      const file = await saved
      expect(file.suggestedFilename()).toBe('audit.csv')
      await page.getByText('62 events exported').waitFor()
      const text = await readFile(await file.path(), 'utf8')
      expect(text.trim().split('\r\n')).toHaveLength(63)
      expect(text).toContain(`"'=HYPERLINK(""https://elsewhere.test"")"`)
      expect(text).toContain(`"'=1+1"`)
      expect(text).toContain('"ERP 59"')
    })
  })

  it('the audit log reports load failures and hides events that the viewer cannot see', () =>
    play({ before: seed, user: 'uma', at: '?screen=audit' }, async ({ page, world }) => {
      await page.locator('.audit-log').getByText('No events match these filters.').waitFor()
      await page.context().addCookies([{ name: 'user', value: 'ada', url: world.origin }])
      await page.reload()
      await page.locator('.audit-line').first().waitFor()
      expect(await page.getByText('corvid').count()).toBe(0)
      world.store.behave({ events: { do: 'fail', error: new Error('down') } })
      await page.reload()
      await page.getByRole('heading', { name: 'The token store cannot be reached' }).waitFor()
    }))
})
