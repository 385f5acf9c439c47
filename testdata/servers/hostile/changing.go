package hostile

const listChanged = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

// changing says after each page that the list is another one now.
func changing(p *peer, c call) {
	paged(p, c)
	p.line(listChanged)
}

// settling does so once, after its first page, which is of another list.
func settling(p *peer) int {
	settled := false
	return script{list: func(p *peer, c call) {
		switch {
		case settled:
			paged(p, c)
			return
		case c.Params.Cursor != nil:
			settled = true
			p.result(c, `{"tools":[`+tool("late")+`]}`)
			return
		}
		p.result(c, `{"tools":[`+tool("early")+`],"nextCursor":"early"}`)
		p.line(listChanged)
	}}.run(p)
}
