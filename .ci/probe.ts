import { type ServiceName, service } from '../test/support/services.js'

// Exits with 0 if the named server can be used, otherwise with 1: `tsx .ci/probe.ts postgres`.
const isServiceName = (name: string | undefined): name is ServiceName => ['postgres', 'mysql', 'redis', 'nats'].includes(name ?? '')

const [, , name] = process.argv
if (!isServiceName(name)) throw new TypeError('usage: probe.ts postgres | mysql | redis | nats')
const found = await service(name)
process.exit(found.url === undefined ? 1 : 0)
