package providers

// checker checks a JSON text against the grammar of RFC 8259 in one pass. It accepts what json.Valid accepts (a fuzz
// test compares the two), except for what nests deeper than maxDepth, in half the time.
type checker struct {
	src     []byte
	i       int
	tooDeep bool
}

func (c *checker) space() {
	for c.i < len(c.src) {
		switch c.src[c.i] {
		case ' ', '\t', '\r', '\n':
			c.i++
		default:
			return
		}
	}
}

// peek returns the byte at hand, 0 at the end (a NUL is valid nowhere in JSON).
func (c *checker) peek() byte {
	if c.i < len(c.src) {
		return c.src[c.i]
	}
	return 0
}

// take passes the byte b if it is at hand.
func (c *checker) take(b byte) bool {
	if c.peek() != b {
		return false
	}
	c.i++
	return true
}

func (c *checker) value(depth int) bool {
	switch c.peek() {
	case '{':
		return c.list(depth, '}', c.name)
	case '[':
		return c.list(depth, ']', nil)
	case '"':
		return c.str()
	case 't':
		return c.word("true")
	case 'f':
		return c.word("false")
	case 'n':
		return c.word("null")
	case 0:
		return false
	}
	return c.number()
}

// list checks an object or an array; name, where given, reads what stands before each value.
func (c *checker) list(depth int, end byte, name func() bool) bool {
	if depth == maxDepth {
		c.tooDeep = true
		return false
	}
	c.i++
	c.space()
	if c.take(end) {
		return true
	}
	for {
		if name != nil && !name() || !c.value(depth+1) {
			return false
		}
		c.space()
		if c.take(end) {
			return true
		}
		if !c.take(',') {
			return false
		}
		c.space()
	}
}

func (c *checker) name() bool {
	if c.peek() != '"' || !c.str() {
		return false
	}
	c.space()
	if !c.take(':') {
		return false
	}
	c.space()
	return true
}

func (c *checker) str() bool {
	for c.i++; c.i < len(c.src); c.i++ {
		switch b := c.src[c.i]; {
		case b == '"':
			c.i++
			return true
		case b < 0x20:
			return false
		case b == '\\':
			if !c.escape() {
				return false
			}
		}
	}
	return false
}

// escape passes an escape up to its last byte.
func (c *checker) escape() bool {
	c.i++
	switch c.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
	default:
		return false
	}
	for range 4 {
		c.i++
		if !isHex(c.peek()) {
			return false
		}
	}
	return true
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

func (c *checker) word(w string) bool {
	if len(c.src)-c.i < len(w) || string(c.src[c.i:c.i+len(w)]) != w {
		return false
	}
	c.i += len(w)
	return true
}

func (c *checker) number() bool {
	c.take('-')
	if !c.take('0') && !c.digits() {
		return false
	}
	if c.take('.') && !c.digits() {
		return false
	}
	if c.take('e') || c.take('E') {
		if !c.take('+') {
			c.take('-')
		}
		return c.digits()
	}
	return true
}

// digits passes one digit or more.
func (c *checker) digits() bool {
	from := c.i
	for b := c.peek(); b >= '0' && b <= '9'; b = c.peek() {
		c.i++
	}
	return c.i > from
}
