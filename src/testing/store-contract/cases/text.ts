import { ensureSameMembers } from '../../assert.js'
import { insert, listNames, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const MARKS = [
  '%',
  '_',
  '\\',
  "'",
  '"',
  '`',
  '*',
  '?',
  '[',
  ']',
  '.*',
  '^',
  '$',
  '(',
  ')',
  '|',
  '+',
  '{',
  '}',
  '--',
  ';',
  '/*',
  ':',
  '&',
  '<',
  '~',
  '#',
  '@',
]

async function insertNames(stage: Stage, names: readonly string[]): Promise<void> {
  await insert(
    stage.store,
    names.map((name) => token(stage.prefix, { name })),
  )
}

async function ensureFinds(stage: Stage, nameContains: string, names: readonly string[]): Promise<void> {
  ensureSameMembers(
    await listNames(stage, { nameContains }),
    names,
    `list() must return exactly the names that contain ${JSON.stringify(nameContains.slice(0, 60))}`,
  )
}

export const textCases: StoreCases = {
  title: 'search by name',
  cases: [
    {
      title: 'every character matches only itself',
      async run(stage) {
        await insertNames(stage, ['plain name', ...MARKS.map((mark) => `one${mark}two`)])
        for (const mark of MARKS) {
          const holders = MARKS.filter((each) => each.includes(mark)).map((each) => `one${each}two`)
          await ensureFinds(stage, mark, holders)
          await ensureFinds(stage, `one${mark}two`, [`one${mark}two`])
          await ensureFinds(stage, `e${mark}t`, [`one${mark}two`])
        }
      },
    },
    {
      title: 'keywords of query languages match literally',
      async run(stage) {
        const names = [
          'salt AND pepper',
          'salt OR pepper',
          'NEAR(salt pepper)',
          '"salt" pepper',
          'salt* pepper',
          'name:salt',
          '-salt',
          "x' OR '1'='1",
        ]
        await insertNames(stage, [...names, 'salt pepper'])
        for (const name of names) await ensureFinds(stage, name, [name])
        await ensureFinds(stage, 'salt NOT pepper', [])
        await ensureFinds(stage, 'pepper salt', [])
      },
    },
    {
      title: 'a search finds text of any length at the start, in the middle and at the end',
      async run(stage) {
        await insertNames(stage, ['warehouse north', 'house', 'north'])
        await ensureFinds(stage, 'h', ['warehouse north', 'house', 'north'])
        await ensureFinds(stage, 'us', ['warehouse north', 'house'])
        await ensureFinds(stage, 'nor', ['warehouse north', 'north'])
        await ensureFinds(stage, 'house', ['warehouse north', 'house'])
        await ensureFinds(stage, 'house n', ['warehouse north'])
        await ensureFinds(stage, 'house  n', [])
        await ensureFinds(stage, 'north ', [])
        await ensureFinds(stage, '', ['warehouse north', 'house', 'north'])
      },
    },
    {
      title: 'ASCII letters match in either case; accents and other scripts match exactly',
      async run(stage) {
        await insertNames(stage, ['Café MENU', 'cafe menu', 'Straße 😀 Ωmega', 'Strasse'])
        await ensureFinds(stage, 'MENU', ['Café MENU', 'cafe menu'])
        await ensureFinds(stage, 'menu', ['Café MENU', 'cafe menu'])
        await ensureFinds(stage, 'cafe', ['cafe menu'])
        await ensureFinds(stage, 'CAFé', ['Café MENU'])
        await ensureFinds(stage, 'Straße', ['Straße 😀 Ωmega'])
        await ensureFinds(stage, 'strasse', ['Strasse'])
        await ensureFinds(stage, '😀', ['Straße 😀 Ωmega'])
        await ensureFinds(stage, 'e 😀 Ωm', ['Straße 😀 Ωmega'])
      },
    },
    {
      title: 'a search for 64 KB of text works',
      async run(stage) {
        await insertNames(stage, ['aaaa', '%%%%'])
        for (const character of ['a', '%', '_', '\\', "'", '*', '😀']) {
          await ensureFinds(stage, character.repeat(65_536 / character.length), [])
        }
      },
    },
  ],
}
