import { dialogOf, press, type Scenes, type Stage, select, show, tokenOf } from '../scene.js'

const FORCED = { forcedColors: 'active' } as const
const printed = ({ page }: Stage): Promise<void> => page.emulateMedia({ media: 'print' })

/** The page on other media. */
export const media: Scenes = {
  'forced-colors': { context: FORCED, act: select },
  'forced-colors-detail': { context: FORCED, at: tokenOf('Warehouse scanner fleet'), whole: true },
  'forced-colors-create': {
    context: FORCED,
    async act(stage) {
      await press('action.create')(stage)
      await dialogOf(stage.page).locator('.scopes').scrollIntoViewIfNeeded()
    },
  },
  'forced-colors-shown-once': { context: FORCED, act: show },
  print: { act: printed, whole: true },
  'print-detail': { at: tokenOf('Warehouse scanner fleet'), act: printed, whole: true },
  'print-audit': { at: () => '?screen=audit', act: printed, whole: true },
  'large-font': {
    async act({ page }) {
      const client = await page.context().newCDPSession(page)
      await client.send('Page.enable')
      await client.send('Page.setFontSizes', { fontSizes: { standard: 24 } })
      await page.reload({ waitUntil: 'networkidle' })
    },
  },
}
