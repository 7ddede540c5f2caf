// Pictures of every state of the page, light and dark, wide and narrow: `npm run screenshots [folder] [name…]`.
import { mkdir } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { findChromium, launch } from './support/browser.js'
import { startWorld, type World } from './support/host.js'
import { seed } from './support/seed.js'

const [, , folder = 'node_modules/.cache/screenshots', ...only] = process.argv
const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } } as const

type Scene = {
  readonly user?: string
  readonly empty?: true
  readonly at?: (ids: ReadonlyMap<string, string>) => string
  readonly act?: (page: Page, world: World, ids: ReadonlyMap<string, string>) => Promise<unknown>
  readonly whole?: true
}

const press = (page: Page, name: string): Promise<void> => page.getByRole('button', { name, exact: true }).last().click()
const tokenOf = (name: string) => (ids: ReadonlyMap<string, string>) => `?token=${ids.get(name)}`

const fill = async (page: Page): Promise<void> => {
  await press(page, 'Create token')
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('Warehouse sync')
  await dialog.getByText('One client', { exact: true }).click()
  await dialog.getByLabel('Client', { exact: true }).selectOption('acme')
  await dialog.getByLabel('Description').fill('Keeps the shop’s stock in step with the warehouses')
  await dialog.getByRole('checkbox', { name: /^inventory:read / }).check()
  await dialog.getByRole('checkbox', { name: /^orders:read / }).check()
}

const SCENES: { readonly [name: string]: Scene } = {
  list: {},
  'list-selected': {
    async act(page) {
      const boxes = page.getByRole('checkbox', { name: /^Select (?!all)/ })
      await boxes.nth(1).check()
      await boxes.nth(3).check()
    },
  },
  'list-empty': { empty: true },
  'list-nothing': { at: () => '?q=nothing+like+this' },
  'list-loading': {
    async act(page, world) {
      world.store.behave({ list: { do: 'delay', milliseconds: 1500 } })
      await page.reload({ waitUntil: 'commit' })
      await page.locator('.skeleton').waitFor()
    },
  },
  'list-down': {
    async act(page, world) {
      world.store.behave({ list: { do: 'fail', error: new Error('down') } })
      await page.reload()
      await page.getByRole('alert').waitFor()
    },
  },
  'list-strip': { at: () => '?view=rotationDue' },
  audit: { at: () => '?screen=audit', whole: true },
  'audit-filtered': { at: () => '?screen=audit&action=token.revoked&actor=ada%40acme.example' },
  'audit-nothing': { at: () => '?screen=audit&actor=nobody' },
  'signed-out': { user: 'nobody' },
  own: { user: 'uma', empty: true },
  create: { act: fill },
  'create-scopes': {
    async act(page) {
      await fill(page)
      await page.getByRole('group', { name: 'Expires' }).scrollIntoViewIfNeeded()
    },
  },
  'create-review': {
    async act(page) {
      await fill(page)
      await press(page, 'Review')
    },
  },
  'create-shown-once': {
    async act(page) {
      await fill(page)
      await press(page, 'Review')
      await page.getByRole('dialog').getByRole('button', { name: 'Create token' }).click()
      await page.locator('[data-token]:not(:empty)').waitFor()
    },
  },
  detail: { at: tokenOf('Warehouse scanner fleet'), whole: true },
  'detail-rotating': { at: tokenOf('Refund bot'), whole: true },
  'detail-revoked': { at: tokenOf('Contractor laptop') },
  'detail-missing': { at: () => '?token=0000000000000000' },
  'row-menu': { act: (page) => page.getByRole('button', { name: 'Actions for Web shop' }).click() },
  'advisor-remove': {
    at: tokenOf('Price feed'),
    act: (page) => page.getByRole('button', { name: /^Remove \d unused/ }).click(),
  },
  'rotate-now': {
    at: tokenOf('Web shop'),
    async act(page) {
      await press(page, 'Rotate')
      await page.getByRole('dialog').getByText('Now', { exact: true }).click()
    },
  },
  rotate: { at: tokenOf('Web shop'), act: (page) => press(page, 'Rotate') },
  revoke: { at: tokenOf('Web shop'), act: (page) => press(page, 'Revoke') },
  edit: { at: tokenOf('Warehouse scanner fleet'), act: (page) => press(page, 'Edit') },
  conflict: {
    at: tokenOf('Price feed'),
    async act(page, world, ids) {
      await press(page, 'Edit')
      await page.getByRole('dialog').getByLabel('Name').fill('Price feed (marketplaces)')
      await world.tokens.system.update(ids.get('Price feed') ?? '', { name: 'Price feed v2' })
      await press(page, 'Save changes')
      await page.getByRole('dialog', { name: 'Somebody else changed this token' }).waitFor()
    },
  },
  'revoke-all': {
    async act(page) {
      await press(page, 'Revoke all')
      await page.getByRole('dialog').getByLabel('Client', { exact: true }).fill('acme')
      await page.getByText('tokens will be revoked').waitFor()
    },
  },
}

async function shoot(browser: Browser, name: string, scene: Scene, theme: 'light' | 'dark', size: keyof typeof SIZES): Promise<void> {
  const world = await startWorld()
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme: theme,
    deviceScaleFactor: 1,
    locale: 'en-GB',
    reducedMotion: 'reduce',
  })
  try {
    const ids = scene.empty ? new Map<string, string>() : await seed(world)
    await context.addCookies([{ name: 'user', value: scene.user ?? 'root', url: world.origin }])
    const page = await context.newPage()
    await page.goto(`${world.url}${scene.at?.(ids) ?? ''}`, { waitUntil: 'networkidle' })
    await scene.act?.(page, world, ids)
    await page.waitForTimeout(250)
    await page.screenshot({ path: `${folder}/${name}-${size}-${theme}.png`, fullPage: scene.whole === true })
  } finally {
    await context.close()
    await world.close()
  }
}

const { path, skip } = findChromium()
if (path === undefined) throw new Error(skip)
await mkdir(folder, { recursive: true })
const browser = await launch(path)
try {
  for (const [name, scene] of Object.entries(SCENES)) {
    if (only.length > 0 && !only.includes(name)) continue
    for (const theme of ['light', 'dark'] as const)
      for (const size of ['wide', 'narrow'] as const) await shoot(browser, name, scene, theme, size)
    console.log(name)
  }
} finally {
  await browser.close()
}
