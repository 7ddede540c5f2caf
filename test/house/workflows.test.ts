import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const FOLDER = '.github/workflows'

// A tag can be moved to other code by the action's owner or anyone who takes over the account; a commit cannot.
it('workflows pin every action to a commit', () => {
  const files = readdirSync(FOLDER)
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) {
    const used = [...readFileSync(`${FOLDER}/${file}`, 'utf8').matchAll(/\buses:\s*(\S+)/g)].map(([, action]) => action ?? '')
    expect(used.filter((action) => !action.startsWith('./') && !/@[0-9a-f]{40}$/.test(action))).toEqual([])
  }
})
