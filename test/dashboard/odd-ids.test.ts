import { describe, expect, it } from 'vitest'
import { readIds, textOfIds } from '../../src/dashboard/page/lib/ids.js'
import { findChromium } from './support/browser.js'
import { confirm, press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

const ODD = ['a,b', ' edge ', '"quoted"', 'say "hi"', '"', '\\', '"a", b', 'w1', '…\u2028x', '"a\\q"']

it('a list of IDs as text is read back as the same IDs, whatever characters they contain', () => {
  expect(readIds(textOfIds(ODD))).toEqual(ODD)
  for (const id of ODD) expect(readIds(textOfIds([id]))).toEqual([id])
})

it('plain IDs need no quotes, and an unfinished quote is kept as typed', () => {
  expect(readIds('w1, w2\nw3,,')).toEqual(['w1', 'w2', 'w3'])
  expect(readIds('"w1, w2')).toEqual(['"w1', 'w2'])
  expect(readIds('')).toEqual([])
})

describe.skipIf(skip !== undefined)(`odd IDs ${skip ?? ''}`, () => {
  const play = stage(path)

  it('an edit of the resources keeps IDs that contain commas or spaces', () =>
    play(
      {
        before: ({ tokens }) =>
          tokens.system.create({ name: 'ERP', scopes: ['orders:read'], resources: { warehouse: ['Hamburg, north', ' w1 ', 'w2'] } }),
      },
      async ({ page, world }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        await press(page, 'Edit')
        const dialog = page.getByRole('dialog')
        const ids = dialog.getByLabel('IDs, separated by commas')
        await ids.fill(`${await ids.inputValue()}, w3`)
        await confirm(page, 'Save changes')
        await page.getByText('Saved').first().waitFor()
        const { items } = await world.tokens.system.list()
        expect(items[0]?.resources).toEqual({ warehouse: ['Hamburg, north', ' w1 ', 'w2', 'w3'] })
      },
    ))
})
