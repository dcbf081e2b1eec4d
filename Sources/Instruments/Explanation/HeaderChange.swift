/// One field of a packet's headers, before and after the director.
struct HeaderChange: Hashable {
    var layer: String
    var field: String
    /// nil when the frame came in without it.
    var before: String?
    /// nil when the frame leaves without it.
    var after: String?

    var isChange: Bool { before != after }

    /// All fields of both, in the order of the frame that leaves; what only came in stands where it
    /// stood.
    static func changes(from old: [HeaderLayer], to new: [HeaderLayer]) -> [HeaderChange] {
        merge(old.map(\.name), new.map(\.name)).flatMap { name in
            let before = old.first { $0.name == name }?.fields ?? []
            let after = new.first { $0.name == name }?.fields ?? []
            return merge(before.map(\.name), after.map(\.name)).map { field in
                HeaderChange(
                    layer: name, field: field, before: before.first { $0.name == field }?.value,
                    after: after.first { $0.name == field }?.value)
            }
        }
    }

    /// The names of both lists, each once.
    private static func merge(_ old: [String], _ new: [String]) -> [String] {
        var merged: [String] = []
        var left = old[...]
        for name in new {
            if let position = left.firstIndex(of: name) {
                merged += left[..<position].filter { !new.contains($0) }
                left = left[(position + 1)...]
            }
            if !merged.contains(name) { merged.append(name) }
        }
        return merged + left.filter { !merged.contains($0) }
    }
}
