/** The majors of Node that the built package is tested on. */
export const NODES = ['20', '22', '24', '26'] as const

const SYSTEM = process.platform === 'win32' ? 'win' : process.platform

/** The package whose whole content is one binary of Node, under a name of its own for each major. */
export const nodePackage = (major: string): string => `node${major}@npm:node-${SYSTEM}-${process.arch}@${major}`

/** Where that binary stands in a project. */
export const nodeBinary = (major: string): string => `node_modules/node${major}/bin/node`
