internal import Posix

/// What the benchmark was asked to do.
struct Options {
    /// Names of the benchmarks to run; all when empty.
    var only: Set<String> = []
    /// Fewer windows and no table of ten million.
    var quick = false
    /// Rings of frames to take through the Swift path alone, for counting instructions under
    /// callgrind; 0 for the usual run.
    var instructions = 0
    /// With `instructions`: a capture is under way that wants none of the packets.
    var isWatched = false
    /// With `instructions`: a master runs, which tells other directors of connections.
    var isTelling = false
    /// File with limits that the figures must keep.
    var thresholds: String?

    static let usage = """
        usage: Bench [--quick] [--only NAME[,NAME]] [--instructions RINGS [--watched] [--telling]] [--check FILE]
          names: nat-1k nat-100k nat-1m nat-10m fullnat churn schedulers, or one of those (wlc)
                 capture-read capture-write replay kept-1m kept-10m adopt-1m adopt-10m synchronisation
        """

    /// Nil when the words are not understood.
    init?(_ words: [String]) {
        var words = words[...]
        while let word = words.popFirst() {
            switch word {
            case "--quick": quick = true
            case "--instructions":
                guard let rings = words.popFirst().flatMap({ Int($0) }) else { return nil }
                instructions = rings
            case "--watched": isWatched = true
            case "--telling": isTelling = true
            case "--only":
                guard let names = words.popFirst() else { return nil }
                only.formUnion(names.split(separator: ",").map(String.init))
            case "--check":
                guard let path = words.popFirst() else { return nil }
                thresholds = path
            default: return nil
            }
        }
    }

    func wants(_ name: String) -> Bool { only.isEmpty || only.contains(name) }
}
