import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './shell.js'

/** Module resolution settings of a project's TypeScript. The file's extension and the project's `type` decide the kind of module. */
export const RESOLUTIONS = {
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  node16: { module: 'node16', moduleResolution: 'node16' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
  commonjs: { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true, ignoreDeprecations: '6.0' },
} as const

/** The name of a module resolution setting. */
export type Resolution = keyof typeof RESOLUTIONS

/**
 * Returns the errors from a compilation. Other packages' declarations are checked too, but only errors in latchkey's declarations and in
 * users' code count.
 */
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
  // The indented lines below an error belong to it.
  const errors = output.split(/\n(?! )/).filter((text) => /error TS\d+/.test(text))
  if (code !== 0 && errors.length === 0) throw new Error(output)
  return errors.filter((line) => !line.startsWith('node_modules/') || line.startsWith('node_modules/latchkey/'))
}

/** Compiles and throws if there are errors. */
export async function compiles(...compilation: Parameters<typeof compile>): Promise<void> {
  const errors = await compile(...compilation)
  if (errors.length > 0) throw new Error(errors.join('\n'))
}
