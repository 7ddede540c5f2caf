import { render } from 'preact'
import { App } from './app.js'
import { keepFocus } from './ui/focus.js'

const place = document.getElementById('page')
if (place !== null) {
  render(<App />, place)
  keepFocus(place)
}
