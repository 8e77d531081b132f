#include "master/control_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* What has come of its line, or what is left of its answer. */
static void
put_text(const struct control_client *client, struct buf *record)
{
	if (client->state == CONTROL_ASKS)
		record_put(record, "text", client->line, client->len);
	else if (client->state == CONTROL_TAKES)
		record_put(record, "text", client->answer.data + client->len,
		    client->answer.len - client->len);
}

void
control_client_put(const struct control_client *client, struct buf *out)
{
	struct buf record = { 0 };

	record_put_number(&record, "state", client->state);
	put_text(client, &record);
	record_put_number(&record, "wish", client->wish);
	record_put_number(&record, "begun", client->begun);
	record_put_text(&record, "note", client->note);
	record_put_text(&record, "item", client->item);
	record_put_number(&record, "serial", client->serial);
	record_put_fd(&record, "fd", client->fd);
	record_put_records(out, "asker", &record);
}

static void
recall_text(const struct record *text, struct control_client *client)
{
	if (client->state == CONTROL_ASKS &&
	    text->len < sizeof(client->line)) {
		memcpy(client->line, text->value, text->len);
		client->len = text->len;
	} else if (client->state == CONTROL_TAKES)
		buf_add(&client->answer, text->value, text->len);
}

void
control_client_recall(const struct record *record,
    struct control_client *client)
{
	char *note = record_text(record, "note");
	char *item = record_text(record, "item");
	int64_t state = record_number(record, "state", CONTROL_FREE);
	struct record text;

	*client = (struct control_client){
		.fd = record_fd(record, "fd"),
		.wish = (int)record_number(record, "wish", 0),
		.begun = record_number(record, "begun", 0) != 0,
		.serial = record_number(record, "serial", 0) };
	if (client->fd != -1 && state > CONTROL_FREE && state <= CONTROL_TAKES)
		client->state = (int)state;
	else
		fd_close(&client->fd);
	snprintf(client->note, sizeof(client->note), "%s",
	    note == NULL ? "" : note);
	snprintf(client->item, sizeof(client->item), "%s",
	    item == NULL ? "" : item);
	free(note);
	free(item);
	if (record_find(record, "text", &text))
		recall_text(&text, client);
}
