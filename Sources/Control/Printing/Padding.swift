extension String {
    /// The text with blanks behind, at least this long (printf `%-Ns`).
    func left(_ width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - utf8.count))
    }

    /// The text with blanks in front, at least this long (printf `%Ns`).
    func right(_ width: Int) -> String {
        String(repeating: " ", count: Swift.max(0, width - utf8.count)) + self
    }
}
