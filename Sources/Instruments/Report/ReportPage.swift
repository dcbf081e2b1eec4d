/// A page of HTML that needs nothing else: data, and a script that draws it; light or dark as the
/// browser's owner has it.
struct ReportPage {
    var title: String
    /// What stands between the headline and the end: HTML with the elements that the script fills.
    var sections: String
    /// Follows `ReportScript.common`.
    var script: String

    /// The page with its data.
    func html(with data: JSONText) -> String {
        let name = Self.escaped(title)
        // A script ends where its text says so: the text must not.
        let text = data.written().replacing("<", with: "\\u003c")
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(name)</title>
            <style>
            \(Self.style)
            </style>
            </head>
            <body>
            <header><h1>\(name)</h1><p id="headline"></p></header>
            <main>
            <section id="figures" class="figures"></section>
            \(sections)
            <section id="notes"></section>
            </main>
            <script type="application/json" id="data">\(text)</script>
            <script>
            \(ReportScript.common)\(script)</script>
            </body>
            </html>

            """
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    static let replaySections = """
        <section><h2>Services</h2><div id="services"></div></section>
        <section><h2>New connections by real server</h2><div id="load" class="chart"></div></section>
        <section><h2>Connection table</h2><div id="open" class="chart"></div></section>
        <section><h2>Dropped frames</h2><div id="drops"></div><div id="dropchart" class="chart"></div></section>
        <section><h2>Connections</h2>
        <p class="hint">Choose one to see its packets before and after the director.</p>
        <input id="filter" type="search" placeholder="address, port or server" aria-label="filter">
        <div class="two"><div id="connections"></div><div id="ladder" class="ladder"></div></div></section>
        """

    static let simulationSections = """
        <section><h2>Schedulers</h2><div id="schedulers" class="scroll"></div></section>
        <section><h2>Share of the connections</h2>
        <p class="hint">A bar for each server; the stroke is what its weight asks for.</p>
        <div id="shares" class="multiples"></div></section>
        <section><h2>Open connections by server</h2>
        <p class="hint">All of one scale.</p>
        <div id="open" class="multiples"></div><div id="openlegend"></div></section>
        <section><h2>Imbalance</h2>
        <p class="hint">Open connections of the fullest server for its weight, by those of all for theirs: 1 is even.</p>
        <div id="imbalance" class="scroll bars"></div></section>
        <section><h2>Clients that came to another server</h2>
        <p class="hint">Those of a server that was removed are not counted, nor those that came once.</p>
        <div id="moved" class="scroll bars"></div></section>
        """

    private static let style = """
        :root { color-scheme: light dark; --ground: #ffffff; --card: #f5f6f8; --ink: #1b1f24; --soft: #5b6470;
          --line: #d5d9df; --accent: #0b62c4; --bad: #b3261e; --c0: #0b62c4; --c1: #c4570b; --c2: #1a7f4b;
          --c3: #8a3ab9; --c4: #a3820a; --c5: #b3265e; --c6: #0c8494; --c7: #6b7280; }
        @media (prefers-color-scheme: dark) { :root { --ground: #14171b; --card: #1d2127; --ink: #e7eaee;
          --soft: #9aa4b1; --line: #333a44; --accent: #6db3ff; --bad: #ff8a80; --c0: #6db3ff; --c1: #ffab6b;
          --c2: #6fd39b; --c3: #d0a0f5; --c4: #e5cc5f; --c5: #ff8fb8; --c6: #6bd5e3; --c7: #aab2bd; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--ground); color: var(--ink);
          font: 15px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
        header { padding: 1.6rem 2rem 0.2rem; }
        h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
        h2 { font-size: 1.08rem; margin: 0 0 0.6rem; }
        header p, .hint { color: var(--soft); margin: 0.3rem 0 0.6rem; }
        main { padding: 0.5rem 2rem 3rem; max-width: 88rem; }
        section { margin-top: 1.6rem; }
        .figures { display: flex; flex-wrap: wrap; gap: 0.7rem; }
        .figure { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
          padding: 0.6rem 0.95rem; min-width: 7.5rem; }
        .figure b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
        .figure span { color: var(--soft); font-size: 0.85rem; }
        .figure.bad b { color: var(--bad); }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        th, td { text-align: right; padding: 0.28rem 0.6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
        th { color: var(--soft); font-weight: 500; font-size: 0.85rem; }
        th.l, td.l { text-align: left; }
        td.wrap { white-space: normal; }
        caption { text-align: left; font-weight: 600; padding: 0.5rem 0 0.2rem; }
        .scroll { overflow-x: auto; }
        .bar { display: inline-block; width: 7rem; height: 0.62rem; background: var(--line); border-radius: 3px;
          position: relative; vertical-align: middle; margin-left: 0.5rem; }
        .bar i { position: absolute; left: 0; top: 0; bottom: 0; border-radius: 3px; background: var(--accent); }
        .bar u { position: absolute; top: -3px; bottom: -3px; width: 2px; background: var(--ink); }
        svg { display: block; width: 100%; height: auto; }
        svg text { fill: var(--soft); font-size: 12px; }
        .legend { display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; margin-top: 0.3rem; color: var(--soft); font-size: 0.88rem; }
        .legend i { display: inline-block; width: 0.9rem; height: 3px; vertical-align: middle; margin-right: 0.4rem; }
        .two { display: grid; grid-template-columns: minmax(20rem, 27rem) 1fr; gap: 1.4rem; margin-top: 0.7rem; }
        @media (max-width: 62rem) { .two { grid-template-columns: 1fr; } main, header { padding-left: 1rem; padding-right: 1rem; } }
        #connections { max-height: 34rem; overflow: auto; border: 1px solid var(--line); border-radius: 8px; }
        #connections button { display: block; width: 100%; text-align: left; padding: 0.4rem 0.7rem; border: 0;
          border-bottom: 1px solid var(--line); background: none; color: inherit; font: inherit; font-size: 0.88rem; cursor: pointer; }
        #connections button:hover, #connections button:focus { background: var(--card); }
        #connections button[aria-pressed=true] { background: var(--card); box-shadow: inset 3px 0 var(--accent); }
        #connections small { display: block; color: var(--soft); }
        input[type=search] { width: min(27rem, 100%); padding: 0.4rem 0.6rem; font: inherit; color: inherit;
          background: var(--card); border: 1px solid var(--line); border-radius: 6px; }
        .ladder { overflow-x: auto; } .ladder svg { min-width: 44rem; }
        .ladder .name { fill: var(--ink); font-weight: 600; font-size: 13px; }
        .ladder .state { fill: var(--accent); }
        .ladder .lost { fill: var(--bad); }
        .multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 0.9rem 1.4rem; }
        .bars svg { min-width: 44rem; }
        .multiples h3 { font-size: 0.95rem; margin: 0 0 0.2rem; }
        svg .name { fill: var(--ink); }
        #notes ul { color: var(--soft); padding-left: 1.1rem; }
        """
}
