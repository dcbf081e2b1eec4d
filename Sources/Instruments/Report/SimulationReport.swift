/// The report of a simulation: one page of HTML that needs nothing else, with a plot of each measure
/// for all schedulers.
package struct SimulationReport {
    private let result: SimulationResult
    private let title: String

    package init(_ result: SimulationResult, title: String) {
        self.result = result
        self.title = title
    }

    /// The page.
    package var html: String {
        ReportPage(
            title: title, sections: ReportPage.simulationSections, script: ReportScript.simulation
        ).html(with: result.jsonObject)
    }
}

extension ReportScript {
    /// The report of a simulation.
    static let simulation = ##"""
        const load = data.load, ran = data.schedulers.filter(one => one.refusal === null);
        const hasCapture = load.source === 'capture';
        at('headline').textContent = (hasCapture
          ? `${count(load.connections)} connections of a capture, played twice as it is, once with a server more, once with one less`
          : `${load.connections_per_second} new connections a second, sessions ${load.sessions}, clients ${load.popularity}`)
          + (load.persistence_seconds ? `, persistence ${load.persistence_seconds} s` : '');
        showFigures([
          ['clients', load.clients], ['servers', load.weights.length],
          ['weights', load.weights.length > 6 ? `${load.weights.slice(0, 6).join(', ')} …` : load.weights.join(', ')],
          ['weight of the server added', load.added_weight],
          ['seconds measured', Number(load.measured_seconds.toFixed(1))], ['seed', load.seed]]);

        const ratio = value => value === null ? '–' : value.toFixed(2);
        {
          const table = make('table');
          const row = make('tr');
          for (const head of ['scheduler', 'connections', 'no server, in all', 'mean imbalance', 'worst', 'moved', 'server added', 'removed', 'ns'])
            row.append(make('th', {class: head === 'scheduler' ? 'l' : ''}, head));
          table.append(row);
          for (const one of data.schedulers) {
            if (one.refusal !== null) {
              table.append(make('tr', {}, make('td', {class: 'l'}, one.scheduler),
                make('td', {class: 'l wrap', colspan: 8}, one.refusal)));
              continue;
            }
            const ns = one.nanoseconds_per_connection;
            table.append(make('tr', {}, make('td', {class: 'l'}, one.scheduler), ...[
              count(one.connections), count(one.refused), ratio(one.imbalance.mean), ratio(one.imbalance.worst),
              percent(one.moved.unchanged.share), percent(one.moved.added.share), percent(one.moved.removed.share),
              ns === null ? '–' : count(Math.round(ns))].map(text => make('td', {}, text))));
          }
          at('schedulers').append(table);
        }

        const small = {width: 460, height: 170};
        const panel = (target, name) => {
          const place = make('div', {}, make('h3', {}, name));
          target.append(place);
          return place;
        };
        const mostShare = rounded(Math.max(1e-9, largest(ran.map(one => largest(one.servers.map(server => Math.max(server.share || 0, server.due || 0)))))));
        for (const one of ran) {
          const {width, height} = small, left = 60, right = 8, top = 8, bottom = 24;
          const y = value => height - bottom - (height - top - bottom) * value / mostShare;
          const step = (width - left - right) / one.servers.length, wide = Math.max(0.5, Math.min(46, step * 0.7));
          const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `share of each server by ${one.scheduler}`});
          for (let tick = 0; tick <= 4; tick += 1) {
            const value = mostShare * tick / 4;
            svg.append(draw('line', {x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: 'var(--line)'}));
            svg.append(draw('text', {x: left - 6, y: y(value) + 4, 'text-anchor': 'end'}, percent(value)));
          }
          one.servers.forEach((server, index) => {
            const middle = left + step * (index + 0.5);
            const bar = draw('rect', {x: middle - wide / 2, width: wide, y: y(server.share || 0),
              height: y(0) - y(server.share || 0), fill: 'var(--accent)'});
            bar.append(draw('title', {}, `server ${server.server}, weight ${server.weight}: ${percent(server.share)}, due ${percent(server.due)}`));
            svg.append(bar);
            svg.append(draw('line', {x1: middle - Math.min(step * 0.48, wide * 0.75), x2: middle + Math.min(step * 0.48, wide * 0.75),
              y1: y(server.due || 0), y2: y(server.due || 0), stroke: 'var(--ink)', 'stroke-width': 2.5}));
            if (one.servers.length <= 12) svg.append(draw('text', {x: middle, y: height - 7, 'text-anchor': 'middle'},
              `${server.server} (${server.weight})`));
          });
          if (one.servers.length > 12) svg.append(draw('text', {x: (left + width) / 2, y: height - 7, 'text-anchor': 'middle'},
            `servers 1 to ${one.servers.length}`));
          panel(at('shares'), one.scheduler).append(svg);
        }

        const added = load.weights.length + 1;
        const names = data.drawn_servers.map(number => `server ${number}${number === added ? ', the one added' : `, weight ${load.weights[number - 1]}`}`);
        const highest = largest(ran.map(one => largest(one.over_time.open.map(largest))));
        const marks = [{time: load.server_added_at, name: '+ server'}, {time: load.server_removed_at, name: '− server 1'}];
        for (const one of ran) {
          chart(panel(at('open'), one.scheduler), one.over_time.seconds,
            one.over_time.open.map((values, index) => ({name: names[index], values})), `open connections by ${one.scheduler}`,
            {...small, height: 200, scale: highest, marks, ticks: 4});
        }
        if (load.weights.length + 1 > names.length) names.push(`${load.weights.length + 1 - names.length} more are not drawn`);
        legend(at('openlegend'), names.map(name => ({name})), 'open connections');

        // A group of bars for each scheduler; what has no value is left out.
        function bars(target, parts, groups, text, from) {
          const width = 1100, left = 96, right = 70, bar = 15, gap = 14;
          const most = Math.max(from + 1e-6, largest(groups.map(group => largest(group.values.map(value => value ?? 0)))));
          const height = groups.length * (parts.length * bar + gap) + 8;
          const x = value => left + (width - left - right) * Math.max(0, value - from) / (most - from);
          const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': parts.map(part => part.name).join(', ')});
          groups.forEach((group, place) => {
            const top = 4 + place * (parts.length * bar + gap);
            svg.append(draw('text', {x: left - 10, y: top + parts.length * bar / 2 + 4, 'text-anchor': 'end', class: 'name'}, group.name));
            group.values.forEach((value, index) => {
              const y = top + index * bar;
              if (value !== null) svg.append(draw('rect', {x: left, y: y + 1.5, width: Math.max(1, x(value) - left), height: bar - 3, fill: parts[index].colour}));
              svg.append(draw('text', {x: (value === null ? left : x(value)) + 6, y: y + bar - 4}, text(value)));
            });
          });
          svg.append(draw('line', {x1: left, x2: left, y1: 0, y2: height, stroke: 'var(--soft)'}));
          target.append(svg);
          const list = make('div', {class: 'legend'});
          for (const part of parts) list.append(make('span', {}, make('i', {style: `background:${part.colour}`}), part.name));
          target.append(list);
        }
        bars(at('imbalance'), [{name: 'mean', colour: 'var(--c0)'}, {name: 'worst', colour: 'var(--c7)'}],
          ran.map(one => ({name: one.scheduler, values: [one.imbalance.mean, one.imbalance.worst]})), ratio, 1);
        bars(at('moved'), [{name: 'while nothing changed', colour: 'var(--c7)'}, {name: 'when a server was added', colour: 'var(--c2)'},
          {name: 'when a server was removed', colour: 'var(--c1)'}],
          ran.map(one => ({name: one.scheduler, values: ['unchanged', 'added', 'removed'].map(key => one.moved[key].share)})), percent, 0);
        showNotes([...(load.remarks || []),
          'The ns are of a new connection, all of its way through the director, on the machine that simulated.']);

        """##
}
