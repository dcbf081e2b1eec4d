/// What draws reports in the browser, from the data in the page.
enum ReportScript {
    /// For every report: elements, charts, figures and notes.
    static let common = ##"""
        'use strict';
        const data = JSON.parse(document.getElementById('data').textContent);
        const at = id => document.getElementById(id);
        const make = (name, attributes = {}, ...children) => {
          const element = document.createElement(name);
          for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
          element.append(...children);
          return element;
        };
        const draw = (name, attributes = {}, text) => {
          const element = document.createElementNS('http://www.w3.org/2000/svg', name);
          for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
          if (text !== undefined) element.textContent = text;
          return element;
        };
        const count = value => value.toLocaleString('en-US');
        const percent = value => value === null ? '–' : (100 * value).toFixed(1) + ' %';
        const colour = index => `var(--c${index % 8})`;

        // Of a list that may be too long for the arguments of one call.
        const largest = values => values.reduce((most, value) => Math.max(most, value), 0);
        // The next number whose quarters are short to write.
        const rounded = most => {
          const power = 10 ** Math.floor(Math.log10(most));
          return power * [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].find(step => most <= power * step * 1.000001);
        };
        function showFigures(figures, isBad = () => false) {
          for (const [name, value] of figures) {
            const figure = make('div', {class: 'figure' + (isBad(name) && value ? ' bad' : '')},
              make('b', {}, typeof value === 'number' ? count(value) : value), make('span', {}, name));
            at('figures').append(figure);
          }
        }
        function showNotes(notes) {
          if (!notes.length) return;
          at('notes').append(make('h2', {}, 'Notes'), make('ul', {}, ...notes.map(note => make('li', {}, note))));
        }

        function chart(target, times, lines, unit, {width = 1100, height = 260, scale = 0, marks = [], ticks = 6} = {}) {
          const left = 62, right = 14, top = marks.length ? 22 : 10, bottom = 30;
          const last = Math.max(times.at(-1) || 0, 1e-6);
          const most = rounded(Math.max(1e-9, scale, ...lines.map(line => largest(line.values))));
          const x = time => left + (width - left - right) * time / last;
          const y = value => height - bottom - (height - top - bottom) * value / most;
          const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': unit});
          for (let tick = 0; tick <= 4; tick += 1) {
            const value = most * tick / 4;
            svg.append(draw('line', {x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: 'var(--line)'}));
            const text = most >= 20 ? count(Math.round(value)) : value.toFixed(most >= 4 ? 1 : 2);
            svg.append(draw('text', {x: left - 8, y: y(value) + 4, 'text-anchor': 'end'}, text));
          }
          for (let tick = 0; tick <= ticks; tick += 1) {
            const time = last * tick / ticks;
            const side = tick === ticks ? 'end' : 'middle';
            svg.append(draw('text', {x: x(time), y: height - 8, 'text-anchor': side},
              time.toFixed(last < 1 ? 3 : last < 10 ? 2 : 0) + ' s'));
          }
          for (const mark of marks) {
            const end = x(mark.time) > width - 80;
            svg.append(draw('line', {x1: x(mark.time), x2: x(mark.time), y1: 4, y2: height - bottom, stroke: 'var(--soft)', 'stroke-dasharray': '4 4'}));
            svg.append(draw('text', {x: x(mark.time) + (end ? -5 : 5), y: 14, 'text-anchor': end ? 'end' : 'start'}, mark.name));
          }
          lines.forEach((line, index) => {
            const points = line.values.map((value, place) => `${x(times[place]).toFixed(1)},${y(value).toFixed(1)}`);
            const path = draw('polyline', {points: points.join(' '), fill: 'none', stroke: colour(index), 'stroke-width': 2});
            path.append(draw('title', {}, line.name));
            svg.append(path);
          });
          target.append(svg);
        }
        function legend(target, lines, unit) {
          const list = make('div', {class: 'legend'});
          lines.slice(0, 24).forEach((line, index) => list.append(
            make('span', {}, make('i', {style: `background:${colour(index)}`}), line.name)));
          if (lines.length > 24) list.append(make('span', {}, `and ${lines.length - 24} more`));
          list.append(make('span', {}, unit));
          target.append(list);
        }

        """##

    /// The report of a replay.
    static let replay = ##"""
        const summary = data.summary;
        at('headline').textContent =
          `${count(summary.packets)} packets in ${summary.seconds.toFixed(3)} s of the capture's time`;
        const figures = [
          ['decided', summary.decided], ['sent', summary.sent], ['left to the host', summary.passed],
          ['dropped', summary.dropped], ['left out', summary.left_out], ['connections open', summary.open],
          ['templates', summary.templates]];
        showFigures(figures, name => name === 'dropped');

        const heads = [['real server', 'l'], ['method', 'l'], ['weight'], ['connections'], ['share, due', 'l'],
          ['in packets'], ['out packets'], ['in bytes'], ['out bytes'], ['active'], ['inactive']];
        for (const service of summary.services) {
          const table = make('table', {}, make('caption', {}, service.name + ' ' + service.scheduler));
          const row = make('tr');
          for (const [name, side] of heads) row.append(make('th', {class: side || ''}, name));
          table.append(row);
          for (const server of service.servers) {
            const bar = make('span', {class: 'bar', title: 'share; the stroke is what its weight asks for'},
              make('i', {style: `width:${100 * (server.share || 0)}%`}),
              make('u', {style: `left:${100 * (server.due || 0)}%`}));
            const share = make('td', {class: 'l'}, `${percent(server.share)}, ${percent(server.due)}`, bar);
            table.append(make('tr', {},
              make('td', {class: 'l'}, server.name), make('td', {class: 'l'}, server.method),
              make('td', {}, String(server.weight)), make('td', {}, count(server.connections)), share,
              ...['in_packets', 'out_packets', 'in_bytes', 'out_bytes', 'active', 'inactive']
                .map(key => make('td', {}, count(server[key])))));
          }
          at('services').append(make('div', {class: 'scroll'}, table));
        }

        const series = data.series, times = series.times;
        // From counts so far to counts of each stretch, a second.
        const rates = values => values.map((value, place) => {
          if (place === 0) return 0;
          const seconds = times[place] - times[place - 1];
          return seconds > 0 ? (value - values[place - 1]) / seconds : 0;
        });
        const several = new Set(series.servers.map(server => server.service)).size > 1;
        const curves = (target, lines, unit) => {
          chart(target, times, lines, unit);
          legend(target, lines, unit);
        };
        if (times.length > 2) {
          curves(at('load'), series.servers.map(server => ({
            name: several ? `${server.service} ${server.name}` : server.name, values: rates(server.values)})),
            'new connections a second');
          curves(at('open'), [{name: 'entries', values: series.open}], 'entries, templates included');
          if (series.drops.length) {
            curves(at('dropchart'), series.drops.map(drop => ({name: drop.name, values: drop.values})), 'frames so far');
          }
        } else {
          for (const id of ['load', 'open']) at(id).append(make('p', {class: 'hint'}, 'The capture is too short for a curve.'));
        }

        if (summary.drops.length) {
          const table = make('table', {}, make('tr', {},
            make('th', {class: 'l'}, 'reason'), make('th', {}, 'frames'), make('th', {class: 'l'}, 'what to do')));
          for (const drop of summary.drops) {
            table.append(make('tr', {}, make('td', {class: 'l'}, drop.reason), make('td', {}, count(drop.frames)),
              make('td', {class: 'l wrap'}, drop.cure)));
          }
          at('drops').append(make('div', {class: 'scroll'}, table));
        } else {
          at('drops').append(make('p', {class: 'hint'}, 'None.'));
        }

        function ladder(connection) {
          const target = at('ladder');
          target.replaceChildren();
          const width = 960, client = 150, director = 505, server = 860, top = 46, step = 64;
          const steps = connection.steps;
          const height = top + steps.length * step + 24;
          const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': connection.flow});
          const names = [[client, 'client'], [director, 'director'], [server, connection.server]];
          for (const [x, name] of names) {
            svg.append(draw('text', {x, y: 16, 'text-anchor': 'middle', class: 'name'}, name));
            svg.append(draw('line', {x1: x, x2: x, y1: 26, y2: height - 8, stroke: 'var(--line)', 'stroke-width': 2}));
          }
          const arrow = (from, to, y, text, stroke) => {
            const ahead = to > from ? 1 : -1;
            svg.append(draw('line', {x1: from, x2: to - 7 * ahead, y1: y, y2: y, stroke, 'stroke-width': 1.6}));
            svg.append(draw('path', {d: `M${to} ${y} l${-9 * ahead} -4 v8 z`, fill: stroke}));
            // What is wider than the way between two lines begins, or ends, at the outer one.
            const isWide = text.length * 6.1 > Math.abs(to - from) - 16;
            const isLeft = Math.min(from, to) < director;
            const x = !isWide ? (from + to) / 2 : isLeft ? client + 10 : server - 10;
            const side = !isWide ? 'middle' : isLeft ? 'start' : 'end';
            svg.append(draw('text', {x, y: y - 6, 'text-anchor': side}, text));
          };
          steps.forEach((one, place) => {
            const y = top + place * step + 14;
            const [near, far] = one.from_client ? [client, server] : [server, client];
            arrow(near, director, y, one.before, 'var(--c0)');
            const states = one.states.join(' → ');
            svg.append(draw('text', {x: 0, y: y + 4}, `#${one.packet}`));
            svg.append(draw('text', {x: 0, y: y + 19}, `${one.time.toFixed(6)} s`));
            if (states) svg.append(draw('text', {x: director, y: y + 33, 'text-anchor': 'middle', class: 'state'}, states));
            if (!one.after.length) {
              svg.append(draw('path', {d: `M${director - 6} ${y - 6} l12 12 m0 -12 l-12 12`, stroke: 'var(--bad)', 'stroke-width': 2.4}));
              svg.append(draw('text', {x: director + 14, y: y + 4, class: 'lost'}, one.fate));
            } else {
              arrow(director, one.fate === 'sent' ? far : near, y + 18, one.after[0], 'var(--c2)');
              if (one.fate !== 'sent') svg.append(draw('text', {x: director + 14, y: y + 4, class: 'lost'}, one.fate));
              if (one.after.length > 1) svg.append(draw('text', {x: director + 8, y: y + 47}, `and ${one.after.length - 1} more`));
            }
          });
          target.append(svg);
          if (connection.more) target.append(make('p', {class: 'hint'}, `and ${count(connection.more)} more packets`));
        }

        function list(filter) {
          const target = at('connections');
          target.replaceChildren();
          const wanted = filter.trim().toLowerCase();
          const found = data.connections.filter(one => `${one.flow} ${one.server}`.toLowerCase().includes(wanted));
          for (const one of found) {
            const button = make('button', {type: 'button', 'aria-pressed': 'false'}, one.flow,
              make('small', {}, `${one.server}, ${count(one.steps.length + one.more)} packets`));
            button.addEventListener('click', () => {
              for (const other of target.children) other.setAttribute('aria-pressed', 'false');
              button.setAttribute('aria-pressed', 'true');
              ladder(one);
            });
            target.append(button);
          }
          if (found.length) target.firstElementChild.click();
          else { at('ladder').replaceChildren(); target.append(make('p', {class: 'hint', style: 'padding:0 .7rem'}, 'None.')); }
        }
        at('filter').addEventListener('input', event => list(event.target.value));
        list('');

        showNotes([...summary.remarks, ...summary.assumptions]);

        """##
}
