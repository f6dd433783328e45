import t from 'tap'
import fc from 'fast-check'
import { html } from '../../src/pages/html.ts'

const entity = /&#(\d+);/g

t.test('whatever is put into a template is text, in content and in an attribute', async t => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), text => {
    const [, content = '', attribute = ''] = /^<p>(.*)<\/p><a href="(.*)">$/s.exec(String(html`<p>${text}</p><a href="${text}">`)) ?? []
    const read = content.replace(entity, (_, code: string) => String.fromCharCode(Number(code)))
    return !/[<>"']/.test(content) && read === text && attribute === content
  }))
  t.equal(String(html`<p>${'<b>&amp;"\''}</p>`), '<p>&#60;b&#62;&#38;amp;&#34;&#39;</p>')
})

t.test('templates nest, lists are joined, null is nothing', async t => {
  t.equal(String(html`<ul>${['a', '<'].map(text => html`<li>${text}</li>`)}</ul>${null}${0}`), '<ul><li>a</li><li>&#60;</li></ul>0')
})

t.test('an object that would pass for markup is refused', async t => {
  const forged = { toString: () => '<b>' } as unknown as string
  t.throws(() => html`${forged}`)
})

t.end()
