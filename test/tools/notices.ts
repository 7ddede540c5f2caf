// Writes the license notices of all bundled code to dist, as the licenses require for redistribution. Part of `npm run build`.
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { takeInputs } from './inputs.js'
import { pageInputs } from './page.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/

/** The folders of the packages that contain these files. */
const packagesOf = (files: readonly string[]): readonly string[] =>
  [...new Set(files.flatMap((file) => PACKAGE.exec(file)?.[0] ?? []))].sort()

/**
 * The notices of the packages that contain these files.
 *
 * @throws Error if a package has no license text
 */
export const noticesOf = (files: readonly string[], folder: string = root): string => {
  const parts = packagesOf(files).map((path) => {
    const home = `${folder}${path}`
    const { name, version, license } = JSON.parse(readFileSync(`${home}/package.json`, 'utf8'))
    const text = readdirSync(home).find((file) => /^licen[cs]e/i.test(file))
    if (text === undefined) throw new Error(`${name} is bundled, but contains no license text, so it must not be redistributed`)
    return `${name} ${version} (${license})\n\n${readFileSync(`${home}/${text}`, 'utf8').trim()}\n`
  })
  return ['This package contains code of these packages, under their licenses.\n', ...parts].join(`\n${'-'.repeat(80)}\n\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = [...(await pageInputs()), ...(await takeInputs())]
  await writeFile(`${root}dist/third-party-notices.txt`, noticesOf(files))
}
