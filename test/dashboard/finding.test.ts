import { sha256Tokens } from 'latchkey/import'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import type { World } from './support/host.js'
import { seed } from './support/seed.js'
import { confirm, press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

const many =
  (count: number) =>
  async ({ tokens, at }: World): Promise<void> => {
    const now = Date.now()
    for (let index = 1; index <= count; index += 1) {
      at(now - (count - index + 1) * 1000)
      await tokens.system.create({ name: `Token ${index}`, tenantId: index % 2 === 0 ? 'acme' : 'bolt', scopes: [] })
    }
    at(undefined)
  }

describe.skipIf(skip !== undefined)(`finding tokens ${skip ?? ''}`, () => {
  const play = stage(path)

  it('a token pasted into the search is reduced to its ID before it is sent, stored or displayed', () => {
    let token = ''
    return play(
      {
        async before({ tokens }) {
          await tokens.system.create({ name: 'Other', scopes: [] })
          token = (await tokens.system.create({ name: 'ERP', scopes: [] })).token
        },
      },
      async ({ page, world, watched }) => {
        const secret = token.slice(-49)
        const search = page.getByRole('searchbox').first()
        for (const text of [token, `Authorization: Bearer ${token}`, token.slice(0, -20)]) {
          await search.fill(text)
          await expect.poll(() => search.inputValue()).not.toContain(secret.slice(0, 10))
          await page.waitForURL(/q=/)
          await search.fill('')
        }
        await search.fill(token)
        await expect.poll(() => page.locator('a.token-name').allTextContents()).toEqual(['ERP'])
        await page.goto(`${world.url}?size=10#x`)
        await page.goBack()
        const { entries } = await (await page.context().newCDPSession(page)).send('Page.getNavigationHistory')
        const traces = JSON.stringify([entries, watched.requests, world.seen, await page.content()])
        expect(traces).not.toContain(secret.slice(0, 10))
      },
    )
  })

  it('the search finds a token by a prefix of its ID and by its hint', () => {
    let ids: ReadonlyMap<string, string> = new Map()
    return play({ before: async (world) => (ids = await seed(world)) }, async ({ page, world }) => {
      const search = page.getByRole('searchbox', { name: 'Search by name, ID or prefix' })
      const names = (): Promise<string[]> => page.locator('a.token-name').allTextContents()
      const { hint, id } = (await world.tokens.system.get(ids.get('Web shop') ?? '')) ?? { hint: '', id: '' }
      for (const text of [hint, hint.slice(0, -1), id.slice(0, 8), id]) {
        await search.fill('nothing like it')
        await page.getByRole('heading', { name: 'No matching tokens' }).waitFor()
        await search.fill(text)
        await expect.poll(names, { message: text }).toEqual(['Web shop'])
      }
      await search.fill('feed')
      await expect.poll(names).toEqual(['Price feed'])
      await page.goto(`${world.url}?q=${id.slice(0, 8)}&status=revoked`)
      await page.getByRole('heading', { name: 'No matching tokens' }).waitFor()
    })
  })

  it('a search with names that look like IDs has several pages and does not claim more than 1,000 matches', () => {
    const name = 'quarterlyreports'
    const make = async ({ tokens }: World): Promise<void> => {
      for (let index = 0; index < 12; index += 1) await tokens.system.create({ name: `${name} ${index}`, scopes: ['orders:read'] })
    }
    return play({ before: make, at: `?q=${name}&size=10` }, async ({ page }) => {
      const rows = page.locator('a.token-name')
      await expect.poll(() => rows.count()).toBe(10)
      expect(await page.getByText('More than 1,000 tokens match').count()).toBe(0)
      await press(page, 'Next')
      await expect.poll(() => rows.count()).toBe(2)
    })
  })

  it('the search finds a complete ID outside the filters and says so', () => {
    let ids: ReadonlyMap<string, string> = new Map()
    return play({ before: async (world) => (ids = await seed(world)), at: '?status=revoked&tenant=bolt' }, async ({ page }) => {
      await page.getByRole('searchbox', { name: 'Search by name' }).fill(ids.get('Price feed') ?? '')
      await page.getByText('Price feed was found by its ID, but does not match the filters.').waitFor()
      await expect.poll(() => page.locator('a.token-name').allTextContents()).toEqual(['Price feed'])
      await page.locator('.banner').getByRole('button', { name: 'Clear filters' }).click()
      await expect.poll(() => page.getByText('It does not match the filters.').count()).toBe(0)
      await expect.poll(() => page.locator('a.token-name').allTextContents()).toEqual(['Price feed'])
      await page.getByRole('searchbox', { name: 'Search by name' }).fill(ids.get('Contractor laptop') ?? '')
      await page.getByRole('combobox', { name: 'Status' }).selectOption('revoked')
      await expect.poll(() => page.locator('a.token-name').allTextContents()).toEqual(['Contractor laptop'])
      expect(await page.getByText('It does not match the filters.').count()).toBe(0)
    })
  })

  it('the page explains why a search by name was refused, and still finds tokens by the beginning of their ID', () => {
    let id = ''
    const make = async ({ tokens }: World): Promise<void> => {
      id = (await tokens.system.create({ name: 'Web shop', scopes: [] })).record.id
    }
    return play({ before: make }, async ({ page }) => {
      await page.getByRole('link', { name: 'Web shop' }).waitFor()
      // The response from a store that has no index for names and holds many tokens.
      await page.route(
        (url) => url.searchParams.has('name'),
        (route) =>
          route.fulfill({
            status: 400,
            contentType: 'application/problem+json',
            body: JSON.stringify({
              code: 'invalid_input',
              detail: 'name: this store cannot search more than 100,000 tokens by name',
            }),
          }),
      )
      const search = page.getByRole('searchbox', { name: 'Search by name' })
      const told = page.locator('.banner').getByText('There are too many tokens for this search by name.')
      await search.fill('shop')
      await told.waitFor()
      expect(await page.getByRole('heading', { name: 'No matching tokens' }).count()).toBe(0)
      for (const text of [id.slice(0, 8), id]) {
        await search.fill(text)
        await page.getByRole('link', { name: 'Web shop' }).waitFor()
        await told.waitFor()
      }
      await search.fill('')
      await expect.poll(() => told.count()).toBe(0)
    })
  })

  it('imported tokens have a view, a column and a fact about their origin once there are any', () => {
    const old = sha256Tokens({ name: 'legacy-keys', prefix: 'sk_', length: 35 })
    const imports = { key: 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P', formats: [old] }
    const bringIn = async ({ tokens }: World): Promise<void> => {
      await tokens.system.create({ name: 'New', scopes: [] })
      await tokens.system.import([{ hash: 'ab'.repeat(32) }], { format: old, map: () => ({ name: 'Old CI key', scopes: [] }) })
    }
    return play({ before: bringIn, options: { imports } }, async ({ page }) => {
      await page.getByRole('link', { name: 'New' }).waitFor()
      await press(page, 'Imported')
      await expect.poll(() => page.locator('a.token-name').allTextContents()).toEqual(['Old CI key'])
      await press(page, 'Columns')
      await page.getByRole('checkbox', { name: 'Imported from' }).check()
      await page.keyboard.press('Escape')
      await page.getByRole('cell', { name: 'legacy-keys' }).waitFor()
      await page.getByRole('link', { name: 'Old CI key' }).click()
      await page.getByText('Clients still send it in its old format. Rotate it to complete the migration.').waitFor()
      await press(page, 'Revoke')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('Earlier use is unknown.').waitFor()
      expect(await dialog.getByText('It has never been used').count()).toBe(0)
      await confirm(page, 'Cancel')
      await press(page, 'Rotate')
      await dialog.getByText('Now', { exact: true }).click()
      await dialog.getByText('Earlier use is unknown.').waitFor()
    })
  })

  it('the Imported view is hidden when no import format is configured', () =>
    play({ before: many(2) }, async ({ page }) => {
      await page.getByRole('link', { name: 'Token 1' }).waitFor()
      expect(await page.getByRole('button', { name: 'Imported' }).count()).toBe(0)
    }))

  it('the summary above the list counts what needs attention and filters by it', () =>
    play(
      {
        async before(world) {
          await seed(world)
          await world.tokens.system.create({ name: 'Ends soon', scopes: [], expiresIn: '3d' })
        },
      },
      async ({ page, world }) => {
        const strip = page.getByRole('group', { name: 'At a glance' })
        await expect
          .poll(() => strip.getByRole('button').allTextContents())
          .toEqual(['13 tokens', '1 expires this week', '1 rotation due', '0 unused for 90 days'])
        const names = (): Promise<string[]> => page.locator('a.token-name').allTextContents()
        // The old token of a rotation, `Refund bot`, ends this week too, but its successor takes over.
        await strip.getByRole('button', { name: '1 expires this week' }).click()
        await expect.poll(names).toEqual(['Ends soon'])
        await strip.getByRole('button', { name: '1 rotation due' }).click()
        await expect.poll(names).toEqual(['Warehouse scanner fleet'])
        await strip.getByRole('button', { name: '13 tokens' }).click()
        await expect.poll(async () => (await names()).length).toBe(13)
        world.store.behave({ list: { do: 'fail', error: new Error('down') } })
        await page.reload()
        await page.getByRole('heading', { name: 'The token store cannot be reached' }).waitFor()
        // A count that failed to load is hidden, not shown as zero.
        expect(await strip.getByRole('button').count()).toBe(0)
      },
    ))

  it('the summary above the list is hidden until there is a token', () =>
    play({}, async ({ page, world }) => {
      const strip = page.getByRole('group', { name: 'At a glance' })
      await page.getByRole('heading', { name: 'No tokens yet' }).waitFor()
      await expect.poll(() => world.seen.some(({ path }) => path.includes('/counts'))).toBe(true)
      await expect.poll(() => strip.getByRole('button').count()).toBe(0)
      await world.tokens.system.create({ name: 'ERP', scopes: [] })
      await page.reload()
      await strip.getByRole('button', { name: '1 token' }).waitFor()
    }))

  it("a token in the page's URL is reduced to its ID", () =>
    play({}, async ({ page, world }) => {
      const { token, record } = await world.tokens.system.create({ name: 'ERP', scopes: [] })
      await page.goto(`${world.url}?q=${token}`)
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      expect(new URL(page.url()).search).toBe(`?q=${record.id}`)
    }))

  it('Previous goes to the previous page wherever the user came from', () =>
    play({ before: many(35), at: '?size=10' }, async ({ page, world }) => {
      const first = (): Promise<string | null> => page.locator('a.token-name').first().textContent()
      await press(page, 'Next')
      await expect.poll(first).toBe('Token 25')
      await press(page, 'Next')
      await expect.poll(first).toBe('Token 15')
      await page.getByRole('link', { name: 'Token 15' }).click()
      await page.getByRole('link', { name: 'All tokens' }).click()
      await expect.poll(first).toBe('Token 15')
      await press(page, 'Previous')
      await expect.poll(first).toBe('Token 25')
      await page.goto(`${world.url}?size=10&page=3`)
      await expect.poll(first).toBe('Token 15')
      await press(page, 'Previous')
      await expect.poll(first).toBe('Token 25')
      await press(page, 'Previous')
      await expect.poll(first).toBe('Token 35')
      expect(new URL(page.url()).search).toBe('?size=10')
    }))

  it('Back restores a search typed just before a filter was chosen, and a double click on Next turns one page', () =>
    play({ before: many(35), at: '?size=10', clock: true }, async ({ page }) => {
      const search = page.getByRole('searchbox', { name: 'Search by name' })
      const query = (): string => new URL(page.url()).search
      await page.getByRole('link', { name: 'Token 35' }).waitFor()
      // The clock is frozen, so the search's typing delay never elapses on its own.
      await search.fill('Token')
      await page.getByRole('combobox', { name: 'Status' }).selectOption('active')
      await expect.poll(query).toBe('?q=Token&status=active&size=10')
      await page.goBack()
      await expect.poll(query).toBe('?q=Token&size=10')
      await page.getByRole('link', { name: 'Token 35' }).waitFor()
      const before = await page.evaluate(() => history.length)
      await page.getByRole('button', { name: 'Next' }).dblclick()
      await expect.poll(query).toBe('?q=Token&size=10&page=2')
      await page.getByRole('link', { name: 'Token 25' }).waitFor()
      expect(await page.evaluate(() => history.length)).toBe(before)
      await search.fill('gone')
      await page.goBack()
      await expect.poll(query).toBe('?q=Token&size=10')
      await expect.poll(() => search.inputValue()).toBe('Token')
      await page.clock.runFor(1000)
      expect(query()).toBe('?q=Token&size=10')
    }))

  it('a link to the second page works for another user', () =>
    play({ before: many(35), at: '?size=10' }, async ({ page, world }) => {
      const names = (): Promise<string[]> => page.locator('a.token-name').allTextContents()
      await press(page, 'Next')
      await expect.poll(async () => (await names())[0]).toBe('Token 25')
      const link = page.url()
      await page.context().addCookies([{ name: 'user', value: 'ada', url: world.origin }])
      await page.goto(link)
      await expect.poll(async () => (await names())[0]).toBe('Token 25')
    }))

  it('the list shows the last page when the URL names a page beyond it', () =>
    play({ before: many(12), at: '?size=10&page=9' }, async ({ page }) => {
      await expect.poll(() => page.locator('a.token-name').allTextContents()).toEqual(['Token 2', 'Token 1'])
      await expect.poll(() => page.locator('.page-number').textContent()).toBe('Page 2')
    }))

  it('the list restores its scroll position on return from a token, and a token opens at its top', () =>
    play({ before: many(60), at: '?size=100', context: { viewport: { width: 1280, height: 600 } } }, async ({ page }) => {
      const link = page.getByRole('link', { name: 'Token 7', exact: true })
      await link.scrollIntoViewIfNeeded()
      const before = await page.evaluate(() => scrollY)
      expect(before).toBeGreaterThan(1000)
      await link.click()
      await page.getByRole('heading', { name: 'Token 7' }).waitFor()
      await expect.poll(() => page.evaluate(() => scrollY)).toBe(0)
      await page.goBack()
      await expect.poll(() => page.evaluate(() => scrollY)).toBe(before)
      await expect.poll(() => page.evaluate(() => history.state.y)).toBe(before)
      await page.reload()
      await expect.poll(() => page.evaluate(() => scrollY)).toBe(before)
    }))

  it("cards can be sorted in a narrow window without column headers, and the tab's title names what is shown", () =>
    play({ before: many(2), dashboard: { title: 'Acme' }, context: { viewport: { width: 390, height: 844 } } }, async ({ page }) => {
      const names = (): Promise<string[]> => page.locator('a.token-name').allTextContents()
      await expect.poll(names).toEqual(['Token 2', 'Token 1'])
      const order = page.getByRole('combobox', { name: 'Sort by' })
      await order.selectOption({ label: 'Name A–Z' })
      await expect.poll(names).toEqual(['Token 1', 'Token 2'])
      await order.selectOption({ label: 'Name Z–A' })
      await expect.poll(names).toEqual(['Token 2', 'Token 1'])
      await page.setViewportSize({ width: 1440, height: 900 })
      await expect.poll(() => page.getByRole('columnheader', { name: 'Token' }).getAttribute('aria-sort')).toBe('descending')
      expect(await order.count()).toBe(0)
      await page.setViewportSize({ width: 390, height: 844 })
      await order.selectOption({ label: 'Newest first' })
      await expect.poll(() => new URL(page.url()).search).toBe('')
      await expect.poll(() => page.title()).toBe('Acme')
      await page.getByRole('link', { name: 'Token 1' }).click()
      await expect.poll(() => page.title()).toBe('Token 1 · Acme')
      await page.goBack()
      await expect.poll(() => page.title()).toBe('Acme')
    }))

  it('an unknown filter value in the URL is ignored instead of causing a permanent failure', () =>
    play({ before: many(2), at: '?status=bogus&view=bogus&sort=bogus&size=7&page=x' }, async ({ page }) => {
      await page.getByRole('link', { name: 'Token 1' }).waitFor()
      await expect.poll(() => page.getByRole('combobox', { name: 'Status' }).inputValue()).toBe('')
      await page.goto(new URL('?screen=audit&action=bogus&from=bogus&to=2026-13-99', page.url()).href)
      await page.getByRole('link', { name: 'Token 1' }).waitFor()
      await expect.poll(() => page.getByRole('combobox', { name: 'Action' }).inputValue()).toBe('')
    }))

  it('the list disappears when the user signs out in another tab, and returns when they sign in', () =>
    play({ before: many(2) }, async ({ page }) => {
      await page.getByRole('link', { name: 'Token 1' }).waitFor()
      const back = (): Promise<boolean> => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
      const cookies = await page.context().cookies()
      await press(page, 'Create token')
      await page.getByRole('dialog').getByLabel('Name').fill('Draft')
      await page.context().clearCookies()
      const refused = page.waitForResponse((response) => response.status() === 401)
      await back()
      await refused
      await expect.poll(() => page.getByRole('dialog').getByLabel('Name').inputValue()).toBe('Draft')
      await page.keyboard.press('Escape')
      await confirm(page, 'Discard')
      await page.getByRole('heading', { name: 'You are not signed in' }).waitFor()
      await expect.poll(() => page.getByText('Token 1').count()).toBe(0)
      await page.context().addCookies(cookies)
      await back()
      await page.getByRole('link', { name: 'Token 1' }).waitFor()
    }))

  it('the list resets with a message when another user has signed in', () =>
    play({ before: many(4) }, async ({ page, world }) => {
      await page.getByRole('checkbox', { name: 'Select Token 3' }).check()
      await page.context().addCookies([{ name: 'user', value: 'uma', url: world.origin }])
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
      await page.getByText('You are now signed in as uma@acme.example').waitFor()
      await page.getByRole('heading', { name: 'No tokens yet' }).waitFor()
      await expect.poll(() => page.getByRole('region', { name: /selected/ }).count()).toBe(0)
    }))
})
