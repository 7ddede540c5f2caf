import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'esbuild'

const FORMATS = ['esm', 'cjs'] as const

const dist = fileURLToPath(new URL('../../dist', import.meta.url))
const noteOf = (format: (typeof FORMATS)[number]): string => `${dist}/inputs-${format}.json`

/** Records which files a build bundles, until `takeInputs` reads the list. */
export const noteInputs = (format: (typeof FORMATS)[number]): Plugin => ({
  name: 'latchkey-inputs',
  setup(build) {
    build.initialOptions.metafile = true
    build.onEnd(async ({ metafile }) => {
      await mkdir(dist, { recursive: true })
      await writeFile(noteOf(format), JSON.stringify(Object.keys(metafile?.inputs ?? {})))
    })
  },
})

/** Every bundled file. Fails if a build has recorded none. */
export const takeInputs = async (): Promise<readonly string[]> => {
  const files: string[] = []
  for (const format of FORMATS) {
    const noted: string[] = JSON.parse(await readFile(noteOf(format), 'utf8'))
    if (noted.length === 0) throw new Error(`the build ${format} recorded no files`)
    files.push(...noted)
    await rm(noteOf(format))
  }
  return files
}
