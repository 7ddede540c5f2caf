import { type ServiceName, service } from '../test/support/services.js'

// Answers with its exit code whether the named server can be used: `tsx .ci/probe.ts postgres`.
const isServiceName = (name: string | undefined): name is ServiceName => name === 'postgres' || name === 'mysql' || name === 'redis'

const [, , name] = process.argv
if (!isServiceName(name)) throw new TypeError('usage: probe.ts postgres | mysql | redis')
const found = await service(name)
process.exit(found.url === undefined ? 1 : 0)
