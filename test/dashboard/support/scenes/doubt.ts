import {
  becomes,
  bringIn,
  dialogOf,
  expectText,
  go,
  hang,
  imports,
  noClipboard,
  pick,
  press,
  type Scenes,
  type Stage,
  select,
  tokenOf,
} from '../scene.js'

const revokeOf = (name: string) => async (stage: Stage) => {
  await stage.page.goto(`${stage.world.url}${tokenOf(name)(stage.ids)}`)
  await press('action.revoke')(stage)
}

const unanswered = (act: 'action.rotate' | 'action.revoke', match: RegExp) => async (stage: Stage) => {
  await press(act)(stage)
  await stage.page.route(match, (route) => route.fulfill({ status: 503, body: '{"code":"store_unavailable","failed":"store"}' }))
  await dialogOf(stage.page).locator('footer .button').last().click()
  await stage.page.locator('.problem-line').waitFor()
}

const revokeAll = (which: 'revokeAll.owner' | 'revokeAll.everywhere') => async (stage: Stage) => {
  await press('action.revokeAll')(stage)
  await pick(stage, which)
  if (which === 'revokeAll.owner') await dialogOf(stage.page).getByLabel(stage.t('form.owner'), { exact: true }).fill('erp')
}

/** Dialogs before a token ends, with known and unknown usage. */
export const doubt: Scenes = {
  'revoke-checking': {
    async act(stage) {
      await stage.page.route(/\/usage\?/, hang)
      await revokeOf('Staging smoke tests')(stage)
      await expectText(stage, 'revoke.checking')
    },
  },
  'revoke-never': {
    async act(stage) {
      await revokeOf('Staging smoke tests')(stage)
      await expectText(stage, 'revoke.unused')
    },
  },
  'revoke-not-counted': {
    options: { usage: false },
    async act(stage) {
      await revokeOf('Web shop')(stage)
      await expectText(stage, 'revoke.notCounted')
    },
  },
  'revoke-imported': {
    options: { imports },
    before: bringIn,
    async act(stage) {
      await revokeOf('Old CI key')(stage)
      await expectText(stage, 'revoke.unusedImported')
    },
  },
  'revoke-maybe': { at: tokenOf('Web shop'), act: unanswered('action.revoke', /\/revoke$/) },
  'revoke-reason-kept': {
    at: tokenOf('Web shop'),
    async act(stage) {
      await press('action.revoke')(stage)
      await dialogOf(stage.page).locator('[data-first]').fill('The laptop was lost')
      await stage.page.keyboard.press('Escape')
      await stage.page.getByRole('alertdialog').waitFor()
    },
  },
  'revoke-selected-checking': {
    async act(stage) {
      await select(stage)
      await stage.page.route(/\/\?ids=/, hang)
      await stage.page.locator('.bulk .danger').click()
      await expectText(stage, 'together.checking')
    },
  },
  'revoke-selected-unknown': {
    async act(stage) {
      await select(stage)
      await stage.page.route(/\/\?ids=/, (route) => route.fulfill({ status: 500, body: '' }))
      await stage.page.locator('.bulk .danger').click()
      await expectText(stage, 'together.unknown')
    },
  },
  'revoke-selected-not-counted': {
    options: { usage: false },
    async act(stage) {
      await select(stage)
      await stage.page.locator('.bulk .danger').click()
      await expectText(stage, 'together.notCounted')
    },
  },
  'revoke-all-owner': {
    async act(stage) {
      await revokeAll('revokeAll.owner')(stage)
      await dialogOf(stage.page).locator('.break-counts').waitFor()
    },
  },
  'revoke-all-everywhere': {
    async act(stage) {
      await revokeAll('revokeAll.everywhere')(stage)
      await dialogOf(stage.page).locator('.break-counts').waitFor()
    },
  },
  'revoke-all-none': {
    async act(stage) {
      await revokeAll('revokeAll.owner')(stage)
      await dialogOf(stage.page).getByLabel(stage.t('form.owner'), { exact: true }).fill('nobody')
      await expectText(stage, 'revokeAll.countNone')
    },
  },
  'revoke-all-uncounted': {
    async act(stage) {
      await stage.page.route(/limit=1000/, (route) => route.fulfill({ status: 500, body: '' }))
      await revokeAll('revokeAll.everywhere')(stage)
      await expectText(stage, 'revokeAll.uncounted')
    },
  },
  'rotate-maybe': { at: tokenOf('Web shop'), act: unanswered('action.rotate', /\/rotate$/) },
  'rotate-now-unused': {
    at: tokenOf('Staging smoke tests'),
    async act(stage) {
      await press('action.rotate')(stage)
      await pick(stage, 'rotate.now')
      await expectText(stage, 'rotate.nowUnused')
    },
  },
  'rotate-now-unknown': {
    options: { usage: false },
    at: tokenOf('Web shop'),
    async act(stage) {
      await press('action.rotate')(stage)
      await pick(stage, 'rotate.now')
      await expectText(stage, 'rotate.nowUnknown')
    },
  },
  'rotate-shown-once': {
    at: tokenOf('Web shop'),
    async act(stage) {
      await press('action.rotate')(stage)
      await go(stage)
      await stage.page.locator('[data-token]:not(:empty)').waitFor()
    },
  },
  'bulk-working': {
    async act(stage) {
      await select(stage)
      await stage.page.route(/\/deactivate$/, hang)
      await stage.page.locator('.bulk .button').first().click()
      await stage.page.locator('.bulk .button:disabled').first().waitFor()
    },
  },
  'bulk-leave': {
    async act(stage) {
      await select(stage)
      await stage.page.route(/\/deactivate$/, hang)
      await stage.page.locator('.bulk .button').first().click()
      await stage.page.locator('.bulk .button:disabled').first().waitFor()
      await stage.page.locator('a.token-name').first().click()
      await stage.page.getByRole('alertdialog').waitFor()
    },
  },
  'account-switched': {
    async act(stage) {
      await becomes(stage, 'uma')
      await stage.page.locator('.toast').waitFor()
    },
  },
  'account-switched-in-form': {
    async act(stage) {
      await press('action.create')(stage)
      await dialogOf(stage.page).getByLabel(stage.t('form.name')).first().fill('Warehouse sync')
      await becomes(stage, 'uma')
      await dialogOf(stage.page).locator('.toast').waitFor()
    },
  },
  'detail-copy-failed': {
    at: tokenOf('Web shop'),
    async act(stage) {
      await noClipboard(stage)
      await stage.page.locator('.detail-head .icon-button').click()
      await stage.page.locator('.copy-failed').first().waitFor()
    },
  },
}
