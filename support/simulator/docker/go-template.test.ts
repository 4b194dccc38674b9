import { describe, expect, it } from 'vitest';
import { parseTemplate, TemplateError } from './go-template.ts';

const value = {
  Name: '/web',
  State: { Running: true, Pid: 42 },
  Ports: {},
  Nets: { lab: { IP: '192.0.2.2' }, other: { IP: '198.51.100.2' } },
  List: ['a', 'b'],
  Nothing: null,
};

describe('Go templates', () => {
  it.each([
    { template: '{{.Name}} {{.State.Pid}}', text: '/web 42' },
    { template: '{{json .State}}', text: '{"Running":true,"Pid":42}' },
    { template: '{{.State}}', text: 'map[Pid:42 Running:true]' },
    { template: '{{.List}} {{len .List}} {{index .List 1}} {{join .List ","}}', text: '[a b] 2 b a,b' },
    { template: '{{(index .Nets "lab").IP}}', text: '192.0.2.2' },
    { template: '{{.Nets.lab.IP}}', text: '192.0.2.2' },
    { template: '{{range .Nets}}{{.IP}} {{end}}', text: '192.0.2.2 198.51.100.2 ' },
    { template: '{{range $name, $net := .Nets}}{{$name}}={{$net.IP}};{{end}}', text: 'lab=192.0.2.2;other=198.51.100.2;' },
    { template: '{{range .Ports}}x{{else}}none{{end}}', text: 'none' },
    { template: '{{if .State.Running}}up{{else}}down{{end}}', text: 'up' },
    { template: '{{if eq .Name "/db"}}1{{else if eq .Name "/web"}}2{{else}}3{{end}}', text: '2' },
    { template: '{{with .State}}{{.Pid}}{{end}} {{$.Name}}', text: '42 /web' },
    { template: '{{ .Name | upper | printf "%q" }}', text: '"/WEB"' },
    { template: '{{$x := .State.Pid}}{{$x}}', text: '42' },
    { template: 'a {{- " b " -}} c', text: 'a b c' },
    { template: '{{println .Name}}', text: '/web\n' },
    { template: '{{.Nothing}}', text: '<nil>' },
    { template: 'a\\tb', text: 'a\tb' },
  ])('$template', ({ template, text }) => expect(parseTemplate(template)(value)).toBe(text));

  it.each(['{{.Nope}}', '{{.Name.X}}', '{{nope .}}', '{{if .Name}}', '{{.Name', '{{end}}', '{{index .List 5}}', '{{.Nothing.X}}'])(
    '%s is refused',
    (template) => expect(() => parseTemplate(template)(value)).toThrow(TemplateError),
  );
});
