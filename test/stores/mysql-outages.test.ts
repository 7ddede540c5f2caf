import { mysqlStore } from 'latchkey/stores/mysql'
import { afterAll, beforeAll, describe } from 'vitest'
import { service } from '../support/services.js'
import { type OwnPlace, ownDatabase } from './sql/databases.js'
import { outageTests } from './sql/outages.js'
import { proxyBefore } from './sql/proxy.js'

const mysql = await service('mysql')

describe.skipIf(mysql.skip)(`MySQL during an outage ${mysql.skip ?? ''}`, () => {
  let place: OwnPlace

  beforeAll(async () => {
    place = await ownDatabase(mysql.url ?? '')
  })
  afterAll(() => place?.remove())

  outageTests({
    proxy: () => proxyBefore(place.url, 3306),
    open: (url) => mysqlStore({ url, poolSize: 5 }),
  })
})
