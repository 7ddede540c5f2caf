import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { languages } from '../../src/dashboard/texts/languages.js'
import { texts } from '../../src/dashboard/texts.js'
import { ACTIONS } from '../../src/model/event.js'
import { findChromium } from './support/browser.js'
import { expressWith, type World } from './support/host.js'
import { listen, press, stage, wider } from './support/stage.js'

const { path = '', skip } = findChromium()

describe('texts of events', () => {
  it.each(['en', ...Object.keys(languages)])('every audit action, including notices, has a text in %s', (language) => {
    const known = Object.hasOwn(languages, language) ? languages[language] : texts
    expect(ACTIONS.filter((action) => !Object.hasOwn(known ?? {}, `audit.${action}`))).toEqual([])
  })
})

describe.skipIf(skip !== undefined)(`why a token is rejected ${skip ?? ''}`, () => {
  const play = stage(path)
  const summary = (page: Page) => page.locator('.explain summary')
  const verdict = (page: Page) => page.locator('.explained .banner').first()
  const asked = ({ seen }: World): string[] => seen.map((one) => one.path).filter((one) => one.includes('/explain'))

  it('the explanation shows each step with advice and is not requested before it is opened', () => {
    let id = ''
    const before = async ({ tokens }: World): Promise<void> => {
      id = (await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })).record.id
    }
    return play({ before, context: { viewport: { width: 320, height: 700 } } }, async ({ page, world }) => {
      await page.goto(`${world.url}?token=${id}`)
      await page.locator('.audit-line').first().waitFor()
      expect(asked(world)).toEqual([])
      await summary(page).focus()
      await page.keyboard.press('Enter')
      await expect.poll(() => verdict(page).textContent()).toContain('It is accepted')
      expect(asked(world)).toHaveLength(1)
      await page.getByLabel('Scope the route requires').selectOption('orders:read')
      await press(page, 'Explain')
      await expect.poll(() => verdict(page).textContent()).toContain('It does not have the scope orders:read.')
      expect(await verdict(page).textContent()).toContain('add one of: orders:read')
      await expect.poll(() => page.locator('[data-announcer]').textContent()).toContain('It is refused. It does not have the scope')
      expect(await page.locator('.explained .refuses').allTextContents()).toHaveLength(1)
      expect(await wider(page.locator('main'))).toEqual([])
      await page.getByLabel('Scope the route requires').selectOption('inventory:read')
      await press(page, 'Explain')
      await expect.poll(() => verdict(page).textContent()).toContain('It is accepted')
    })
  })

  it('the explanation leaves a refusal by a route undecided, and is requested again when the token changes', () => {
    let id = ''
    const before = async ({ tokens, origin }: World): Promise<void> => {
      const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['orders:read'] })
      id = record.id
      expect((await fetch(`${origin}/api/stock/1`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(403)
      await tokens.flush()
    }
    return play({ before }, async ({ page, world }) => {
      await page.goto(`${world.url}?token=${id}`)
      await page.locator('.audit').getByRole('button', { name: 'Why was this refused?' }).click()
      await expect.poll(() => verdict(page).textContent()).toContain('It may or may not be accepted')
      expect(await verdict(page).textContent()).toContain('Choose the scope that the route requires.')
      await page.getByLabel('Scope the route requires').selectOption('inventory:read')
      await press(page, 'Explain')
      await expect.poll(() => verdict(page).textContent()).toContain('It does not have the scope inventory:read.')
      await page.getByLabel('Scope the route requires').selectOption('')
      await page.getByLabel('Time', { exact: true }).fill('')
      await press(page, 'Explain')
      await expect.poll(() => verdict(page).textContent()).toContain('It is accepted')
      await press(page, 'Deactivate')
      await expect.poll(() => verdict(page).textContent()).toContain('Activate it.')
    })
  })

  it("screen readers announce an answer once, with the owner's name even if the name loads late", () => {
    const many = Array.from({ length: 501 }, (_, at) => ({ id: `i${at}`, name: `A ${at}` }))
    let id = ''
    const before = async ({ tokens }: World): Promise<void> => {
      id = (await tokens.system.create({ name: 'ERP', scopes: ['orders:read'], ownerId: 'zoe' })).record.id
    }
    return play(
      {
        before,
        options: { owner: () => null },
        start: expressWith({ owners: () => [...many, { id: 'zoe', name: 'Zoe Zander' }] }),
      },
      async ({ page, world }) => {
        let name = (): void => {}
        const named = new Promise<void>((resolve) => {
          name = resolve
        })
        await page.route(/\/owners\?.*ids=/, async (route) => {
          await named
          await route.fallback()
        })
        await page.goto(`${world.url}?token=${id}`)
        await page.getByRole('heading', { name: 'ERP' }).waitFor()
        const told = await listen(page)
        await summary(page).click()
        await expect.poll(() => verdict(page).textContent()).toContain('zoe')
        await page.waitForTimeout(200)
        expect(await told()).toEqual([])
        name()
        await expect.poll(told).toEqual([expect.stringContaining('Zoe Zander')])
        await page.waitForTimeout(1200)
        expect(await told()).toHaveLength(1)
        await press(page, 'Explain')
        await expect.poll(async () => (await told()).length).toBe(2)
      },
    )
  })

  it('a refusal in the audit trail opens the explanation with its address and time', () => {
    let id = ''
    const before = async ({ tokens }: World): Promise<void> => {
      const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'], allowedIps: ['192.0.2.0/24'] })
      id = record.id
      await tokens.verify(token, { ip: '203.0.113.7' })
      await tokens.flush()
    }
    return play({ before }, async ({ page, world }) => {
      await page.goto(`${world.url}?token=${id}`)
      await page.locator('.audit').getByRole('button', { name: 'Why was this refused?' }).click()
      await expect.poll(() => verdict(page).textContent()).toContain('203.0.113.7 is not one of its allowed addresses: 192.0.2.0/24.')
      expect(await summary(page).evaluate((node) => node === document.activeElement)).toBe(true)
      await page.locator('.explained').getByText('Refusals recorded around that time').waitFor()
      await page.getByLabel('Caller’s address').fill('nowhere')
      await press(page, 'Explain')
      await page.locator('.explain .error').waitFor()
      await page.getByLabel('Caller’s address').fill('192.0.2.1')
      await press(page, 'Explain')
      await expect.poll(() => verdict(page).textContent()).toContain('It is accepted')
      await page.route(/\/explain/, (route) => route.fulfill({ status: 403, body: '{}' }))
      await press(page, 'Explain')
      await page.getByRole('alert').getByText('You cannot see explanations for this token here.').waitFor()
    })
  })
})
