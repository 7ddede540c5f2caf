import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './shell.js'

/** How a project's TypeScript finds packages. The ending of a file and the project's `type` say which kind of module it is. */
export const RESOLUTIONS = {
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  node16: { module: 'node16', moduleResolution: 'node16' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
  commonjs: { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true, ignoreDeprecations: '6.0' },
} as const

/** The name of a way to find packages. */
export type Resolution = keyof typeof RESOLUTIONS

/** The errors of a compilation. Other packages' declarations are checked too, but only ours and our users' count. */
export async function compile(
  folder: string,
  resolution: Resolution,
  files: readonly string[],
  more: object = {},
): Promise<readonly string[]> {
  const compilerOptions = {
    ...RESOLUTIONS[resolution],
    ...{ target: 'es2022', lib: ['es2023', 'dom'], types: ['node'], strict: true, noEmit: true, skipLibCheck: false },
    ...more,
  }
  const config = `tsconfig.${resolution}.json`
  await writeFile(join(folder, config), JSON.stringify({ compilerOptions, files }))
  const { code, output } = await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', config], folder)
  // What stands under an error belongs to it.
  const errors = output.split(/\n(?! )/).filter((text) => /error TS\d+/.test(text))
  if (code !== 0 && errors.length === 0) throw new Error(output)
  return errors.filter((line) => !line.startsWith('node_modules/') || line.startsWith('node_modules/latchkey/'))
}

/** Compiles without an error. */
export async function compiles(...compilation: Parameters<typeof compile>): Promise<void> {
  const errors = await compile(...compilation)
  if (errors.length > 0) throw new Error(errors.join('\n'))
}
