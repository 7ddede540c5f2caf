import { bringIn, dialogOf, down, go, imports, loseOne, pick, press, type Scenes, tokenOf } from '../scene.js'

/** The page of a token and its dialogs. */
export const token: Scenes = {
  detail: { at: tokenOf('Warehouse scanner fleet'), whole: true },
  'detail-rotating': { at: tokenOf('Refund bot'), whole: true },
  'detail-successor': { at: tokenOf('Refund bot (new)') },
  'detail-inactive': { at: tokenOf('Support desk') },
  'detail-expiring': { at: tokenOf('Partner reporting') },
  'detail-expired': { at: tokenOf('Old mobile app') },
  'detail-revoked': { at: tokenOf('Contractor laptop') },
  'detail-imported': { options: { imports }, before: bringIn, at: tokenOf('Old CI key'), whole: true },
  'detail-uncounted': { options: { usage: false }, at: tokenOf('Web shop'), whole: true },
  'detail-unused': { at: tokenOf('Staging smoke tests'), whole: true },
  'detail-pending': {
    async before({ world, ids }) {
      const notBefore = new Date(Date.now() + 86_400_000)
      ids.set('Soon', (await world.tokens.system.create({ name: 'Soon', tenantId: 'acme', scopes: ['orders:read'], notBefore })).record.id)
    },
    at: tokenOf('Soon'),
  },
  'detail-short-retention': { options: { retention: { usage: '7d' } }, at: tokenOf('Web shop'), whole: true },
  'detail-changes': {
    at: tokenOf('Warehouse scanner fleet'),
    whole: true,
    act: ({ page }) => page.locator('.audit summary').first().click(),
  },
  'detail-usage-down': {
    whole: true,
    async act({ page, world, ids }) {
      await page.route(/\/usage\?/, (route) => route.fulfill({ status: 500, body: '' }))
      await page.goto(`${world.url}?token=${ids.get('Web shop')}`)
      await page.locator('.problem-line').first().waitFor()
    },
  },
  'detail-down': {
    async act({ page, world, ids }) {
      world.store.behave({ list: { do: 'fail', error: down }, find: { do: 'fail', error: down } })
      await page.goto(`${world.url}?token=${ids.get('Web shop')}`)
      await page.getByRole('alert').first().waitFor()
    },
  },
  'detail-missing': { at: () => '?token=0000000000000000' },
  'explain-refused': {
    at: tokenOf('Warehouse scanner fleet'),
    whole: true,
    async act({ page, t }) {
      await page.locator('.explain summary').click()
      await page.locator('.explained li').first().waitFor()
      await page.getByLabel(t('explain.scope')).selectOption('orders:read')
      await page.getByLabel(t('explain.address')).fill('203.0.113.7')
      await page.getByRole('button', { name: t('explain.ask'), exact: true }).click()
      await page.locator('.explained li').nth(8).waitFor()
    },
  },
  'explain-recorded': {
    whole: true,
    async act({ page, world, t }) {
      const { token, record } = await world.tokens.system.create({ name: 'Backup', scopes: ['orders:read'], allowedIps: ['192.0.2.0/24'] })
      await world.tokens.verify(token, { ip: '203.0.113.7' })
      await world.tokens.flush()
      await page.goto(`${world.url}?token=${record.id}`)
      await page
        .locator('.audit')
        .getByRole('button', { name: t('explain.title') })
        .click()
      await page.locator('.explained li').first().waitFor()
    },
  },
  'explain-let-in': {
    at: tokenOf('Web shop'),
    whole: true,
    async act({ page }) {
      await page.locator('.explain summary').click()
      await page.locator('.explained li').first().waitFor()
    },
  },
  'advisor-remove': { at: tokenOf('Price feed'), act: ({ page }) => page.locator('.card-head > .button').click() },
  rotate: { at: tokenOf('Web shop'), act: press('action.rotate') },
  'rotate-now': {
    at: tokenOf('Web shop'),
    async act(stage) {
      await press('action.rotate')(stage)
      await pick(stage, 'rotate.now')
    },
  },
  'rotate-lost': {
    at: tokenOf('Web shop'),
    async act(stage) {
      await press('action.rotate')(stage)
      await loseOne(stage, /\/rotate$/)
      await go(stage)
      await dialogOf(stage.page).locator('.lost-token').waitFor()
    },
  },
  revoke: {
    at: tokenOf('Web shop'),
    async act(stage) {
      await press('action.revoke')(stage)
      await stage.page.locator('.break-list li').first().waitFor()
    },
  },
  'revoke-unknown': {
    at: tokenOf('Web shop'),
    async act(stage) {
      await stage.page.route(/\/usage\?/, (route) => route.fulfill({ status: 500, body: '' }))
      await press('action.revoke')(stage)
      await stage.page.getByText(stage.t('revoke.uncounted')).waitFor()
    },
  },
}
