/** The major versions of Node on which the built package is tested. */
export const NODES = ['20', '22', '24', '26'] as const

const SYSTEM = process.platform === 'win32' ? 'win' : process.platform

/** The package that contains only a Node binary, under a separate alias for each major version. */
export const nodePackage = (major: string): string => `node${major}@npm:node-${SYSTEM}-${process.arch}@${major}`

/** The path of that binary in a project. */
export const nodeBinary = (major: string): string => `node_modules/node${major}/bin/node`
