/* SQLite: a database in memory, made, indexed, joined, grouped, updated and searched. The result is the hash of all
 * rows that the queries give. There is no file system: the least VFS that SQLite opens with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/random.h"
#include "lib/run.h"
#include "sqlite3.h"

#define ROWS 4000

static uint64_t hash;
static unsigned failures;

static int no_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	(void)vfs, (void)name, (void)flags, (void)out;
	file->pMethods = NULL;
	return SQLITE_CANTOPEN;
}

static int no_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs, (void)name, (void)sync;
	return SQLITE_OK;
}

static int no_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs, (void)name, (void)flags;
	*out = 0;
	return SQLITE_OK;
}

static int full_path(sqlite3_vfs *vfs, const char *name, int room, char *out)
{
	(void)vfs;
	snprintf(out, room, "%s", name);
	return SQLITE_OK;
}

static int randomness(sqlite3_vfs *vfs, int bytes, char *out)
{
	(void)vfs;
	memset(out, 7, bytes);
	return bytes;
}

static int no_sleep(sqlite3_vfs *vfs, int time_us)
{
	(void)vfs;
	return time_us;
}

static int current_time(sqlite3_vfs *vfs, double *days)
{
	(void)vfs;
	*days = 2459000.5;
	return SQLITE_OK;
}

static sqlite3_vfs memory_vfs = {
	.iVersion = 1,
	.szOsFile = sizeof(sqlite3_file),
	.mxPathname = 256,
	.zName = "memory",
	.xOpen = no_open,
	.xDelete = no_delete,
	.xAccess = no_access,
	.xFullPathname = full_path,
	.xRandomness = randomness,
	.xSleep = no_sleep,
	.xCurrentTime = current_time,
};

int sqlite3_os_init(void)
{
	return sqlite3_vfs_register(&memory_vfs, 1);
}

int sqlite3_os_end(void)
{
	return SQLITE_OK;
}

static int on_row(void *unused, int count, char **values, char **names)
{
	(void)unused, (void)names;
	for (int i = 0; i < count; i++)
		hash = values[i] != NULL ? hash_bytes(hash, values[i], strlen(values[i])) : hash_mix(hash, 0);
	return 0;
}

static void query(sqlite3 *db, const char *text)
{
	char *error = NULL;
	if (sqlite3_exec(db, text, on_row, NULL, &error) != SQLITE_OK) {
		sqlite3_free(error);
		failures++;
	}
}

static void insert_rows(sqlite3 *db)
{
	sqlite3_stmt *insert;
	query(db, "begin");
	sqlite3_prepare_v2(db, "insert into item values (?, ?, ?, ?)", -1, &insert, NULL);
	for (int i = 0; i < ROWS; i++) {
		char name[16];
		snprintf(name, sizeof(name), "k%u", random32() % ROWS);
		sqlite3_bind_int(insert, 1, i);
		sqlite3_bind_text(insert, 2, name, -1, SQLITE_TRANSIENT);
		sqlite3_bind_double(insert, 3, i * 1.37);
		sqlite3_bind_int(insert, 4, i % 13);
		sqlite3_step(insert);
		sqlite3_reset(insert);
	}
	sqlite3_finalize(insert);
	query(db, "commit");
}

static const char *const queries[] = {
	"create index by_name on item (name)",
	"select count(*), sum(id), avg(price), max(name), min(name), total(class) from item",
	"select class, count(*), round(sum(price), 3) from item group by class order by 2 desc, 1",
	"select id, name from item where name like 'k99%' order by name, id limit 20",
	"create table square as select name, price * price as value from item where id % 3 = 0",
	"select count(*) from item join square on item.name = square.name where square.value > 1000",
	"with recursive f (n, a, b) as (select 1, 0, 1 union all select n + 1, b, a + b from f where n < 60)"
	" select n, a from f where n % 10 = 0",
	"update item set price = price * 2, name = name || 'z' where class = 5",
	"delete from item where class = 7",
	"select count(*), sum(length(name)), printf('%.3f %e %08x', sum(price), avg(price), count(*)) from item",
	"select id, row_number() over (partition by class order by price desc), sum(id) over (order by id rows 3 preceding)"
	" from item where id < 400 order by id",
	"select json_extract('{\"a\": [1, 2, {\"b\": 3.5}]}', '$.a[2].b'), json_group_array(id) from item where id < 60",
	"select group_concat(upper(substr(replace(name, 'k', '-'), 1, 3))) from item where id % 50 = 0",
	"pragma integrity_check",
};

uint64_t run(uint32_t count)
{
	hash = HASH_EMPTY;
	failures = 0;
	random_state = 71;
	for (uint32_t i = 0; i < count; i++) {
		sqlite3 *db;
		if (sqlite3_open(":memory:", &db) != SQLITE_OK)
			return 1;
		query(db, "create table item (id integer primary key, name text, price real, class)");
		insert_rows(db);
		for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++)
			query(db, queries[q]);
		sqlite3_close(db);
	}
	return failures == 0 ? hash : failures;
}
