import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { stage, type Wanted } from './support/stage.js'

const { path = '', skip } = findChromium()
const one: Wanted = { before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] }) }
const MOST_STEPS = 80

/** The accessible name of the focused element. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const { activeElement } = document
    if (activeElement === null || activeElement === document.body) return 'nothing'
    const { labels } = activeElement as HTMLInputElement
    return (activeElement.getAttribute('aria-label') ?? labels?.[0]?.textContent ?? activeElement.textContent ?? '').trim()
  })

/** Presses Tab until the named element has focus. */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const met: string[] = []
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const here = await focused(page)
    if (typeof name === 'string' ? here === name : name.test(here)) return
    met.push(here)
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab never reached ${name}, only ${met.join(' · ')}`)
}

async function pressAt(page: Page, name: string | RegExp, key = 'Enter'): Promise<void> {
  await tabTo(page, name)
  await page.keyboard.press(key)
}

/** Copies the displayed token and closes its dialog. */
async function keep(page: Page): Promise<string> {
  const token = (await page.locator('[data-token]:not(:empty)').textContent()) ?? ''
  await expect.poll(() => focused(page)).toBe('Copy token')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').getByText('Copied').first().waitFor()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(token)
  await pressAt(page, 'I have saved it')
  await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
  await expect.poll(() => focused(page)).not.toBe('nothing')
  return token
}

describe.skipIf(skip !== undefined)(`by keyboard alone ${skip ?? ''}`, () => {
  const play = stage(path)
  const context = { permissions: ['clipboard-read', 'clipboard-write'] }

  it('a token can be created by keyboard alone: named, granted a scope, reviewed and copied', () =>
    play({ context }, async ({ page, world }) => {
      await page.getByRole('heading', { name: 'No tokens yet' }).waitFor()
      await pressAt(page, 'Create token')
      await expect.poll(() => focused(page)).toMatch(/^Name/)
      await page.keyboard.type('Warehouse sync')
      await pressAt(page, 'One tenant', 'ArrowRight')
      await expect.poll(() => focused(page)).toBe('All tenants')
      await pressAt(page, /^inventory:read /, 'Space')
      await pressAt(page, 'Review')
      await expect.poll(() => focused(page)).toBe('Create token')
      await page.keyboard.press('Enter')
      const token = await keep(page)
      expect((await world.tokens.system.list()).items).toMatchObject([{ name: 'Warehouse sync', scopes: ['inventory:read'] }])
      expect(await world.tokens.introspect(token)).toMatchObject({ active: true })
    }))

  it('a token can be rotated by keyboard alone, with an overlap chosen by arrow keys', () =>
    play({ ...one, context }, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await pressAt(page, 'Actions for ERP')
      await expect.poll(() => focused(page)).toBe('Edit')
      await page.keyboard.press('ArrowDown')
      await expect.poll(() => focused(page)).toBe('Rotate')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Rotate ERP' }).waitFor()
      await expect.poll(() => focused(page)).toBe('In 24 hours')
      await page.keyboard.press('ArrowLeft')
      await expect.poll(() => focused(page)).toBe('In 1 hour')
      await pressAt(page, 'Rotate')
      const token = await keep(page)
      expect(await world.tokens.introspect(token)).toMatchObject({ active: true })
      expect((await world.tokens.system.list()).items).toHaveLength(2)
    }))

  it('a token can be revoked with a reason by keyboard alone, and pressing Enter in the reason field does nothing', () =>
    play(one, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await pressAt(page, 'Actions for ERP')
      await expect.poll(() => focused(page)).toBe('Edit')
      await page.keyboard.press('End')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Revoke ERP?' }).waitFor()
      await expect.poll(() => focused(page)).toMatch(/^Reason/)
      await page.keyboard.type('Laptop lost')
      await page.keyboard.press('Enter')
      expect((await world.tokens.system.list()).items).toMatchObject([{ status: 'active' }])
      await pressAt(page, 'Revoke permanently')
      await page.getByText('Token revoked').waitFor()
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
      await expect.poll(() => focused(page)).not.toBe('nothing')
      expect((await world.tokens.system.list()).items).toMatchObject([{ status: 'revoked', revokedReason: 'Laptop lost' }])
    }))

  it('a token can be selected in the list and revoked by keyboard alone', () =>
    play(one, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await pressAt(page, 'Select all on this page', 'Space')
      await pressAt(page, 'Revoke')
      await page.getByRole('dialog', { name: 'Revoke 1 token?' }).waitFor()
      await expect.poll(() => focused(page)).toMatch(/^Reason/)
      await pressAt(page, 'Revoke permanently')
      await page.getByText('1 token changed').waitFor()
      await expect.poll(() => focused(page)).not.toBe('nothing')
      expect((await world.tokens.system.list()).items).toMatchObject([{ status: 'revoked' }])
    }))
})
