// Takes screenshots of every state of the page: `npm run screenshots -- [name…] [--out folder] [--languages en,de,ar] [--widths 320,1440] [--themes light,dark]`.
// `npm run screenshots -- --docs` takes the screenshots for the docs.
import { mkdir, rename } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { Browser } from 'playwright-core'
import { findChromium, launch } from './support/browser.js'
import type { Scene } from './support/scene.js'
import { SCENES } from './support/scenes.js'
import { type Look, showScene } from './support/show.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'node_modules/.cache/screenshots' },
    languages: { type: 'string', default: 'en' },
    widths: { type: 'string', default: '1440,390' },
    themes: { type: 'string', default: 'light,dark' },
    docs: { type: 'boolean', default: false },
  },
})

/** The screenshots for the docs. They are small: a dialog is shown without the page behind it. */
const DOCS = { tokens: 'list', token: 'detail', 'shown-once': 'create-shown-once' } as const

const shoot = (browser: Browser, scene: Scene, look: Look, path: string): Promise<void> =>
  showScene(browser, scene, look, async (page) => {
    await page.waitForTimeout(250)
    const part = values.docs ? page.locator('dialog[open]') : undefined
    if ((await part?.count()) === 1) await part?.screenshot({ path })
    else await page.screenshot({ path, fullPage: scene.whole === true })
  })

async function shootAll(browser: Browser): Promise<void> {
  const unknown = positionals.filter((name) => !Object.hasOwn(SCENES, name))
  if (unknown.length > 0) throw new Error(`there is no scene ${unknown.join(', ')}; there are ${Object.keys(SCENES).join(', ')}`)
  for (const [name, scene] of Object.entries(SCENES)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    for (const language of values.languages.split(','))
      for (const theme of values.themes.split(',') as Look['theme'][])
        for (const width of values.widths.split(',').map(Number))
          await shoot(browser, scene, { language, width, theme }, `${values.out}/${name}-${language}-${width}-${theme}.png`)
    console.log(name)
  }
}

async function shootDocs(browser: Browser): Promise<void> {
  for (const [file, name] of Object.entries(DOCS)) {
    const path = `docs/images/${file}.png`
    await shoot(browser, SCENES[name] ?? {}, { language: 'en', width: 1440, theme: 'light' }, `${path}.new.png`)
    await rename(`${path}.new.png`, path)
  }
}

const { path, skip } = findChromium()
if (path === undefined) throw new Error(skip)
await mkdir(values.out, { recursive: true })
const browser = await launch(path)
try {
  await (values.docs ? shootDocs(browser) : shootAll(browser))
} finally {
  await browser.close()
}
