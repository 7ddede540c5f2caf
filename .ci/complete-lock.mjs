import { readFileSync, writeFileSync } from 'node:fs'

// Adds to package-lock.json the platform packages that npm left out because it could not or did not fetch them here, such as the
// macOS build of a tool on Linux. Without them `npm ci` fails on other platforms, and with newer npm on this one too.
// Run it after every change of dependencies: `npm run lock`. `test/house/lock.test.ts` fails when this is due.
const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const CPU = ['x64', 'arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32']

/** The platform encoded in a package name such as `@scope/name-linux-x64-musl`. */
const platformOf = (name) => {
  const words = name.split(/[-/]/)
  const os = OS.find((word) => words.includes(word))
  const cpu = CPU.find((word) => words.includes(word))
  const libc = words.includes('musl') ? 'musl' : os === 'linux' && words.includes('gnu') ? 'glibc' : undefined
  return { ...(cpu && { cpu: [cpu] }), ...(libc && { libc: [libc] }), ...(os && { os: [os] }) }
}

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const packages = lock.packages

/** The location of `name` for the package at `from`, found by walking up the folders as Node does. */
const resolve = (from, name) => {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const place = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`
    if (packages[place]) return place
    if (folder === '' || !folder.includes('/node_modules/')) {
      return folder === '' || !packages[`node_modules/${name}`] ? undefined : `node_modules/${name}`
    }
  }
}

let added = 0
for (const [from, parent] of Object.entries({ ...packages })) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const found = resolve(from, name)
    if (found !== undefined && (packages[found].version === version || !/^\d/.test(version))) continue
    const platform = platformOf(name)
    if (!/^\d+\.\d+\.\d+/.test(version) || Object.keys(platform).length === 0)
      throw new Error(`${from} needs ${name}@${version}: add it manually`)
    const place = packages[`node_modules/${name}`] ? `${from}/node_modules/${name}` : `node_modules/${name}`
    packages[place] = { version, ...(parent.dev && { dev: true }), optional: true, ...platform }
    added += 1
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} platform packages added to package-lock.json`)
