import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { hosts } from './support/host.js'
import { createByPage, keep, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

describe.skipIf(skip !== undefined)(`the page on every framework ${skip ?? ''}`, () => {
  const play = stage(path)

  it.each(Object.keys(hosts) as (keyof typeof hosts)[])(
    'the page creates and shows a token on %s, with and without a trailing slash',
    (name) =>
      play({ start: hosts[name] }, async ({ page, world }) => {
        await createByPage(page, `Made on ${name}`)
        await keep(page)
        for (const address of [world.url, `${world.url}/`, `${world.url}?q=Made`, `${world.url}/?q=Made`]) {
          await page.goto(address)
          await page.getByRole('link', { name: `Made on ${name}` }).waitFor()
        }
        expect((await world.tokens.system.list()).items.map(({ name: made }) => made)).toEqual([`Made on ${name}`])
      }),
  )

  it.each(['/t', '/a/b/c/token-admin'])('the page works when mounted at %s', (mount) =>
    play({ start: hosts.Hono, mount }, async ({ page, world }) => {
      await page.goto(`${world.origin}${mount}`)
      await page.getByRole('heading', { name: 'No tokens yet' }).waitFor()
    }),
  )
})
