import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { SCOPES, type World } from './support/host.js'
import { hostileStrings } from './support/hostile-strings.js'
import { chooseEveryTenant, stage } from './support/stage.js'

const { path = '', skip } = findChromium()
const STRINGS = hostileStrings()
const PER_PAGE = 100

/** Creates tokens whose every field is hostile, used from hostile addresses on hostile endpoints, and revoked for hostile reasons. */
async function fill({ tokens, store }: World): Promise<readonly string[]> {
  const ids: string[] = []
  let seq = 0
  for (const text of STRINGS) {
    const short = text.slice(0, 200)
    const { record } = await tokens.as({ id: short, tenants: '*', manages: 'all', ip: text.slice(0, 64) }).create({
      name: short,
      description: text.slice(0, 1000),
      tenantId: short,
      ownerId: short,
      scopes: ['inventory:read'],
      resources: { warehouse: [short] },
      metadata: { [`k ${short}`]: text },
    })
    ids.push(record.id)
    const at = Date.now() - 1000
    seq += 1
    await store.recordUsage({
      nodeId: 'hostile',
      seq,
      at,
      counts: [
        { tokenId: record.id, bucketAt: Math.floor(at / 3_600_000) * 3_600_000, endpoint: short, outcome: 'allowed', scope: '', count: 3 },
      ],
      addresses: [{ tokenId: record.id, ip: text.slice(0, 64), count: 3, lastAt: at }],
      lastUses: [{ tokenId: record.id, at, ip: text.slice(0, 64) }],
    })
    if (seq % 2 === 0) await tokens.as({ id: short, tenants: '*', manages: 'all' }).revoke(record.id, { reason: text.slice(0, 500) })
    else await tokens.as({ id: short, tenants: '*', manages: 'all' }).deactivate(record.id)
  }
  return ids
}

describe.skipIf(skip !== undefined)(`hostile text ${skip ?? ''}`, () => {
  const play = stage(path)

  it('there are at least 200 different hostile strings', () => {
    expect(new Set(STRINGS).size).toBeGreaterThanOrEqual(200)
  })

  it.each([
    ['wide', 1440],
    ['narrow', 390],
  ])(
    'hostile strings in the list render only as text (%s)',
    (_, width) => {
      return play({ before: fill, at: `?size=${PER_PAGE}`, context: { viewport: { width, height: 900 } } }, async ({ page }) => {
        const shown = new Set<string>()
        const pages = Math.ceil(STRINGS.length / PER_PAGE)
        for (let turn = 1; turn <= pages; turn += 1) {
          await expect.poll(() => page.locator('.page-number').textContent()).toBe(`Page ${turn}`)
          await expect.poll(() => page.locator('[aria-busy="true"]').count()).toBe(0)
          for (const name of await page.locator('a.token-name').allTextContents()) shown.add(name)
          await untouched(page)
          if (turn < pages) await page.getByRole('button', { name: 'Next' }).click()
        }
        for (const text of STRINGS) expect(shown).toContain(text.slice(0, 200))
      })
    },
    60_000,
  )

  it("hostile strings on a token's page, in its audit trail, charts and dialogs render only as text", () => {
    const ids: string[] = []
    return play({ before: async (world) => ids.push(...(await fill(world))) }, async ({ page }) => {
      // Navigates to each token within the same document, as a user who keeps reading would.
      for (const [index, id] of ids.entries()) {
        await page.evaluate((token) => {
          history.pushState(null, '', `?token=${token}`)
          dispatchEvent(new PopStateEvent('popstate'))
        }, id)
        await expect.poll(() => page.locator('h1').textContent()).toBe(STRINGS[index]?.slice(0, 200))
        if (index % 20 !== 0) continue
        await page.locator('.audit li').nth(1).waitFor()
        await page.locator('.shares li').first().waitFor()
        for (const summary of await page.locator('.audit summary').all()) await summary.click()
        for (const name of ['Edit', 'Revoke']) {
          const button = page.getByRole('button', { name, exact: true }).first()
          if (!(await button.isEnabled())) continue
          await button.click()
          await page.getByRole('dialog').waitFor()
          await untouched(page)
          await page.keyboard.press('Escape')
        }
      }
      await untouched(page)
    })
  }, 120_000)

  it.each(['..', '../..', '.', 'scopes', 'https://evil.example/x', '//evil.example', '%2e%2e', '0000000000000000/events'])(
    'the page requests no other origin or path when the URL names %s as the token',
    (token) =>
      play({ at: `?token=${encodeURIComponent(token)}` }, async ({ page, world }) => {
        const asked: string[] = []
        page.on('request', (request) => asked.push(request.url()))
        await page.reload()
        await page.getByRole('heading', { level: 1 }).first().waitFor()
        await expect.poll(() => page.locator('.loading').count()).toBe(0)
        const { pathname, origin } = new URL(world.url)
        const beneath = pathname.endsWith('/') ? pathname : `${pathname}/`
        for (const url of asked) {
          expect(new URL(url).origin).toBe(origin)
          expect(`${new URL(url).pathname}/`).toContain(beneath)
        }
        const paths = asked.map((url) => new URL(url).pathname.slice(beneath.length))
        expect(paths.filter((path) => /events|usage/.test(path))).toEqual([])
      }),
  )

  it('hostile strings in scopes, groups and the URL render only as text', () =>
    play(
      {
        options: {
          scopes: { ...SCOPES, ...Object.fromEntries(STRINGS.slice(0, 60).map((text, index) => [`odd:s${index}`, text])) } as never,
        },
        dashboard: { title: '<img src=x onerror=alert(1)>', texts: { 'app.subtitle': '"><script>alert(1)</script>' } },
        at: `?q=${encodeURIComponent('<img src=x onerror=alert(1)>')}&status=${encodeURIComponent('"><script>alert(1)</script>')}&sort=constructor`,
      },
      async ({ page }) => {
        // The search finds nothing; the status and the order, which do not exist, are ignored.
        await page.getByRole('heading', { name: 'No matching tokens' }).waitFor()
        expect(await page.getByRole('searchbox').first().inputValue()).toBe('<img src=x onerror=alert(1)>')
        await untouched(page)
        await page.goto(page.url().split('?')[0] ?? '')
        await page.getByRole('button', { name: 'Create token' }).first().click()
        const dialog = page.getByRole('dialog')
        await dialog.getByLabel('Name', { exact: true }).fill('<img src=x onerror=alert(1)>')
        await chooseEveryTenant(page)
        await dialog.getByLabel('Allowed addresses').fill('<img/src=x/onerror=alert(1)>')
        await dialog.getByRole('button', { name: 'Review' }).click()
        await expect.poll(() => dialog.getByLabel('Allowed addresses').getAttribute('aria-invalid')).toBe('true')
        await untouched(page)
        await dialog.getByLabel('Allowed addresses').fill('')
        await dialog.getByLabel('Metadata').fill('{"__proto__": "<img src=x onerror=alert(1)>"}')
        await dialog.getByRole('button', { name: 'Review' }).click()
        await untouched(page)
        await dialog.getByRole('button', { name: 'Create token' }).click()
        await expect.poll(() => dialog.getByLabel('Metadata').getAttribute('aria-invalid')).toBe('true')
        await untouched(page)
      },
    ))
})

/** Asserts that no hostile string became an element, an event handler attribute, or a property of the window. */
async function untouched(page: import('playwright-core').Page): Promise<void> {
  const found = await page.evaluate(() => ({
    elements: [
      ...document.body.querySelectorAll('script, img, iframe, object, embed, link, style, base, meta, video, audio, math, template'),
    ].map((node) => node.outerHTML.slice(0, 80)),
    handlers: [...document.querySelectorAll('*')].flatMap((node) => node.getAttributeNames().filter((name) => name.startsWith('on'))),
    links: [...document.querySelectorAll('a')].map((link) => link.href).filter((href) => !href.startsWith(location.origin)),
    ran: Reflect.get(window, '__ran'),
    polluted: Reflect.get({}, 'polluted'),
  }))
  expect(found).toEqual({ elements: [], handlers: [], links: [], ran: undefined, polluted: undefined })
}
