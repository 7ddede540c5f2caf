import { webhooks } from '../../../src/extensions/webhooks/index.js'
import { openAt, type Place } from './open.js'

// This process only sends webhooks to one receiver.
const [, , place = '', url = ''] = process.argv
webhooks(openAt(JSON.parse(place) as Place), {
  webhookKey: 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P',
  endpoints: [{ id: 'crm', url, from: 'start' }],
  allowPrivate: ['127.0.0.1'],
})
process.stdout.write('ready\n')
